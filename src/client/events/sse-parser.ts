export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
}

/** Text of a stream, in pieces cut anywhere, to whole events. What has no end yet is kept for the next piece. */
export class SseParser {
  #rest = "";
  #event = "";
  #data: string[] = [];

  push(text: string): ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    // A carriage return at the very end may be half of a line's end.
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop()!;
    for (const line of lines) {
      if (line !== "") this.#readLine(line);
      else if (this.#data.length > 0) events.push(this.#take());
      else this.#event = "";
    }
    return events;
  }

  #readLine(line: string): void {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#event = value;
    else if (name === "data") this.#data.push(value);
  }

  #take(): ServerSentEvent {
    const event = { event: this.#event, data: this.#data.join("\n") };
    this.#event = "";
    this.#data = [];
    return event;
  }
}
