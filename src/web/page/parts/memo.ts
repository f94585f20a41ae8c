/**
 * A component that is drawn again only when one of its properties is another value.
 */
import { Component, type ComponentType, type FunctionComponent, h } from 'preact';

export function memo<P extends object>(component: FunctionComponent<P>): ComponentType<P> {
  return class extends Component<P> {
    override shouldComponentUpdate(next: Readonly<P>): boolean {
      const [a, b] = [this.props as Record<string, unknown>, next as Record<string, unknown>];
      const keys = Object.keys(b);
      return keys.length !== Object.keys(a).length || keys.some((key) => a[key] !== b[key]);
    }
    override render() {
      return h(component, this.props);
    }
  };
}
