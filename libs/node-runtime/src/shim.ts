/**
 * Stands between us and a container's process, so that both survive our death: it claims its folder once (a claim that
 * exists makes it leave), tells its own pid, runs the command and leaves the exit code in a file. TERM is handled (not
 * ignored) so that the command starts with the default. It runs no program of its own: pods start in milliseconds. Readers
 * take an empty file for one that is being written. A named pipe in the folder is the command's standard input:
 * held open by the command itself, or by us until the first client has left. It starts no program of its own, because
 * pods start in milliseconds; who reads takes an empty file for one that is being written.
 */
export const shim = `
dir=$1; shift
set -C
{ true > "$dir/claimed"; } 2>/dev/null || exit 125
set +C
trap : TERM INT HUP
echo $$ > "$dir/shim"
if [ -p "$dir/stdin-once" ]; then "$@" 3>"$dir/info" <"$dir/stdin-once"
elif [ -p "$dir/stdin" ]; then "$@" 3>"$dir/info" <>"$dir/stdin"
else "$@" 3>"$dir/info"; fi
code=$?
echo $code > "$dir/exit"
`;
