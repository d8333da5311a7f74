/** Thrown inside a pass when its kill point threw: the controller ends at once, as in a crash. */
export class KilledError extends Error {
  constructor(
    readonly point: string,
    cause: unknown,
  ) {
    super(`killed at "${point}"`, { cause });
  }
}

/** `killPoint` with what it throws marked, so that no retry or report can take it for an ordinary failure. */
export function marked(killPoint: ((name: string) => void) | undefined): (name: string) => void {
  if (!killPoint) return () => {};
  let dead = false;
  return (name) => {
    try {
      // A crash ends every pass of the process, also those that came to other borders.
      if (dead) throw new Error("the process is dead");
      killPoint(name);
    } catch (error) {
      dead = true;
      throw new KilledError(name, error);
    }
  };
}
