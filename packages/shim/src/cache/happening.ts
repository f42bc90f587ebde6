/** Something that happens once. */
export class Happening {
  /** Resolves when it happens. */
  readonly happened: Promise<void>;
  happen: () => void = () => {};

  constructor() {
    this.happened = new Promise((resolve) => {
      this.happen = resolve;
    });
  }
}
