import { registerHooks } from "node:module";

/** Loaded into a process that is not to have traces: whoever asks for the SDK ends it. */
registerHooks({
  resolve(specifier, context, next) {
    if (/^(@opentelemetry\/(sdk|exporter|context|resources|core)|bullmq-otel)/.test(specifier))
      throw new Error(`${specifier} was asked for`);
    return next(specifier, context);
  },
});
