/** Runs `work` one call at a time; of calls that come meanwhile only the last is made. */
export function latestOnly<T>(work: (value: T) => Promise<void>): (value: T) => void {
  let busy = false;
  let next: { value: T } | undefined;
  return function run(value) {
    if (busy) {
      next = { value };
      return;
    }
    busy = true;
    void work(value)
      .catch(() => {})
      .then(() => {
        busy = false;
        const again = next;
        next = undefined;
        if (again) run(again.value);
      });
  };
}
