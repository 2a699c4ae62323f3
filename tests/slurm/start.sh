#!/usr/bin/env bash
# Starts a Slurm of three nodes on this machine: munged, slurmctld and three slurmd, their files in
# one temporary directory. Needs root; installs Debian's packages if they are missing.
#
#   tests/slurm/start.sh     # returns once the nodes take jobs
#   tests/slurm/stop.sh      # ends what was started, and nothing else
set -euo pipefail

# Where Slurm's commands look by themselves; a variable would be lost on the way into a job's steps.
conf=/etc/slurm/slurm.conf
if [[ -e $conf || -L $conf ]]; then
    echo "there is a $conf: this machine has a Slurm already" >&2
    exit 1
fi
if ! { command -v slurmctld && command -v slurmd && command -v munged; } >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends slurm-wlm munge
fi >/dev/null

dir=$(mktemp -d "${TMPDIR:-/tmp}/slurm.XXXXXX")
chmod 755 "$dir"
mkdir "$dir/state" "$dir"/spool-n{1,2,3}
install -d -o munge -m 755 "$dir/munge"

# A key and a socket of its own: a munged of the machine's is left alone.
(umask 077 && head -c 128 /dev/urandom >"$dir/munge/key")
chown munge "$dir/munge/key"
setpriv --reuid=munge --regid=munge --clear-groups munged \
    --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
    --log-file="$dir/munge/log" --seed-file="$dir/munge/seed"

read -r port_ctld port_1 port_2 port_3 < <(python3 - <<'PYTHON'
import socket
free = [socket.create_server(("", 0)) for _ in range(4)]
print(*(one.getsockname()[1] for one in free))
PYTHON
)
host=$(hostname -s)
memory=$(awk '/^MemTotal:/ {print int($2 / 1024)}' /proc/meminfo)
cat >"$dir/slurm.conf" <<CONF
ClusterName=daydream
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port_ctld
AuthType=auth/munge
# A job goes back into the queue when its credentials have expired, which by default takes two minutes.
AuthInfo=socket=$dir/munge/socket,cred_expire=15
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool-%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd-%n.log
# A node that is gone is found out in seconds, and its jobs go back into the queue.
SlurmdTimeout=10
# What needs neither cgroups nor a database, and so runs in a container.
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=2
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$port_1 CPUs=$(nproc) RealMemory=$memory
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$port_2 CPUs=$(nproc) RealMemory=$memory
NodeName=n3 NodeHostname=$host NodeAddr=127.0.0.1 Port=$port_3 CPUs=$(nproc) RealMemory=$memory
# Each job on the node that has the least to do, so that shards are on different ones.
PartitionName=main Nodes=n1,n2,n3 Default=YES State=UP LLN=YES
CONF
ln -s "$dir/slurm.conf" "$conf"
slurmctld
for node in n1 n2 n3; do slurmd -N $node; done

for _ in $(seq 100); do
    if [[ $(sinfo --noheader --format=%T:%D 2>/dev/null) == idle:3 ]]; then
        echo "Slurm $(slurmctld -V | cut -d' ' -f2) runs on $host; $(dirname "$0")/stop.sh ends it"
        exit
    fi
    sleep 0.2
done
echo "the nodes do not become idle" >&2
tail -n 5 "$dir"/*.log >&2
"$(dirname "$0")/stop.sh"
exit 1
