#!/usr/bin/env bash
# Ends the Slurm that start.sh has started, by the process ids in its directory, and removes it.
set -euo pipefail

conf=/etc/slurm/slurm.conf
if [[ ! -L $conf || ! -d $(dirname "$(readlink "$conf")")/munge ]]; then
    echo "no Slurm of start.sh is here" >&2
    exit 1
fi
dir=$(dirname "$(readlink "$conf")")

# Jobs first: their processes are the only ones that would outlive slurmd.
scancel --quiet --user=root || true
for _ in $(seq 50); do
    [[ -z $(squeue --noheader) ]] && break
    sleep 0.2
done
for file in "$dir"/slurmd-n{1,2,3}.pid "$dir/slurmctld.pid" "$dir/munge/pid"; do
    [[ -f $file ]] || continue
    pid=$(cat "$file")
    kill "$pid" || true
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
done
rm -r "$dir" "$conf"
