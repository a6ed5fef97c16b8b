import { Component, type ComponentChild, createElement, type FunctionComponent } from "preact";

/** Renders again only when a property is another one: a burst of messages must not cost all the rows there are. */
export function memo<Props extends object>(render: (props: Props) => ComponentChild): FunctionComponent<Props> {
  class Memo extends Component<Props> {
    override shouldComponentUpdate(next: Props): boolean {
      const before = this.props as Record<string, unknown>;
      return Object.entries(next).some(([name, value]) => before[name] !== value);
    }
    override render(props: Props): ComponentChild {
      return render(props);
    }
  }
  return (props) => createElement(Memo as never, props);
}
