/** Polls until `check` gives something other than undefined or false; throws with the last answer of `describe` after `limit` ms. */
export async function eventually<T>(
  check: () => T | undefined | false | Promise<T | undefined | false>,
  {
    limit = 20_000,
    interval = 10,
    describe = () => "",
  }: { limit?: number; interval?: number; describe?: () => unknown } = {},
): Promise<T> {
  const start = performance.now();
  let failure: unknown;
  while (performance.now() - start < limit) {
    try {
      const result = await check();
      if (result !== undefined && result !== false) return result;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
  const detail = describe();
  throw new Error(`not reached within ${limit} ms${detail ? `: ${JSON.stringify(detail)}` : ""}`, { cause: failure });
}
