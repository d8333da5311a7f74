/**
 * Stands between us and a container's process, so that both survive our death: it claims its folder once (a claim that
 * exists makes it leave), tells its own pid, runs the command and leaves the exit code in a file. TERM is handled (not
 * ignored) so that the command starts with the default. A named pipe in the folder is the command's standard input:
 * held open by the command itself, or by us until the first client has left. The command's outputs are named pipes where
 * the folder has them, as on a kubelet: who opens its own output anew cuts nothing off. What comes out of them is
 * appended to the logs by programs that outlive us, too, and are done before the exit code is told. Nothing else is
 * started here, because pods start in milliseconds; who reads takes an empty file for one that is being written.
 */
export const shim = `
dir=$1; shift
set -C
{ true > "$dir/claimed"; } 2>/dev/null || exit 125
set +C
trap : TERM INT HUP
echo $$ > "$dir/shim"
run() {
  if [ -p "$dir/stdin-once" ]; then "$@" 3>"$dir/info" <"$dir/stdin-once"
  elif [ -p "$dir/stdin" ]; then "$@" 3>"$dir/info" <>"$dir/stdin"
  else "$@" 3>"$dir/info"; fi
}
keep() { trap '' TERM INT HUP; PATH=/usr/bin:/bin:$PATH; exec cat; }
if [ -p "$dir/out" ] && [ -p "$dir/err" ]; then
  keep <"$dir/out" >>"$dir/log" & out=$!
  keep <"$dir/err" >>"$dir/log.err" & err=$!
  run "$@" >"$dir/out" 2>"$dir/err"
  code=$?
  for one in $out $err; do until wait $one; [ $? -le 128 ]; do :; done; done
else
  run "$@"
  code=$?
fi
echo $code > "$dir/exit"
`;
