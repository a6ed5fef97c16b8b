import type { Readable } from "node:stream";

/** A body that goes on for as long as its stream does. */
export class Streamed {
  readonly type: string;
  readonly stream: Readable;

  constructor(type: string, stream: Readable) {
    this.type = type;
    this.stream = stream;
  }
}
