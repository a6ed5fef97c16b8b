import { parser } from "@prometheus-io/lezer-promql";

export interface Matcher {
  readonly label: string;
  readonly operator: string;
  readonly value: string;
}

export interface Selector {
  readonly metric: string;
  readonly matchers: readonly Matcher[];
}

export interface Query {
  readonly text: string;
  readonly selectors: readonly Selector[];
  /** What it groups by. */
  readonly grouping: readonly string[];
}

/** A query as Prometheus' own grammar reads it. Grafana's `$__rate_interval` is a time like any other. */
export function parseQuery(text: string): Query {
  const query = text.replaceAll("$__rate_interval", "1m").replaceAll("$__range", "1h");
  const selectors: { metric: string; matchers: Matcher[] }[] = [];
  const grouping: string[] = [];
  parser.parse(query).iterate({
    enter(node) {
      const said = query.slice(node.from, node.to);
      if (node.type.isError) throw new Error(`This is no PromQL, at ${node.from}: ${query}`);
      if (node.name === "VectorSelector") selectors.push({ metric: "", matchers: [] });
      if (node.name === "Identifier") selectors.at(-1)!.metric = said;
      if (node.name === "UnquotedLabelMatcher") {
        const [, label, operator, value] = /^(\w+)\s*(=~|!~|!=|=)\s*"(.*)"$/s.exec(said)!;
        selectors.at(-1)!.matchers.push({ label: label!, operator: operator!, value: value! });
      }
      if (node.name === "LabelName" && node.node.parent?.name === "GroupingLabels") grouping.push(said);
    },
  });
  return { text, selectors, grouping };
}
