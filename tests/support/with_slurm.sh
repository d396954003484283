#!/usr/bin/env bash
# usage: tests/support/with_slurm.sh NODES CPUS COMMAND…
#
# Runs COMMAND beside a Slurm of its own: NODES nodes of CPUS processors and 8 GPUs each, whether this
# machine has them or not, partition `main`, and `urgent` whose jobs preempt main's. All of it lives in namespaces
# of its own (processes, network, host names, mounts), so it clashes with nothing, nobody else reaches
# it, and the kernel ends all of it, jobs included, together with COMMAND. Installs Debian's packages
# where root may do so. Ends as COMMAND does, or with 77 and the reason where none of this can be or
# SOFTCOT_SLURM=0 forbids it.
set -euo pipefail
state=/mnt # a file system in memory, seen in here only

skip() { echo "skipped: $*" && exit 77; }

missing() {
  local pair
  for pair in munged:munge slurmctld:slurmctld slurmd:slurmd sbatch:slurm-client ip:iproute2; do
    command -v "${pair%:*}" >/dev/null || echo "${pair#*:}"
  done
}

# The packages would start services of their own. Without a network it gives up in time for a skip.
install_packages() {
  local policy=/usr/sbin/policy-rc.d apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq
    -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120)
  if [[ ! -e ${policy} ]]; then
    printf '#!/bin/sh\nexit 101\n' >"${policy}"
    chmod +x "${policy}"
    trap 'rm -f "${policy}"' RETURN
  fi
  timeout 120 "${apt[@]}" update || return
  timeout 300 "${apt[@]}" install -y --no-install-recommends --download-only "$@" || return
  "${apt[@]}" install -y --no-install-recommends "$@"
}

prepare() {
  local need log
  [[ ${SOFTCOT_SLURM:-1} != 0 ]] || skip "SOFTCOT_SLURM=0"
  ((EUID == 0)) || skip "a private Slurm needs root"
  unshare --fork --pid --net --uts --mount true 2>/dev/null || skip "a private Slurm needs namespaces"
  mapfile -t need < <(missing)
  ((${#need[@]})) || return 0
  command -v apt-get >/dev/null || skip "not installed: ${need[*]}"
  log=$(install_packages "${need[@]}" 2>&1) || skip "cannot be installed: ${need[*]}: $(tail -n 1 <<<"${log}")"
}

configure() {
  local nodes=$1 cpus=$2 node names=''
  mount -t tmpfs tmpfs "${state}"
  mkdir -p "${state}"/{log,state}
  for ((node = 1; node <= nodes; ++node)); do
    names+=" node${node}"
    mkdir -p "${state}/node${node}"/{spool,tmp}
  done
  hostname controller
  ip link set lo up
  ip address add 10.0.0.1/8 dev lo # without one, Slurm resolves no name
  echo "127.0.0.1 localhost controller${names}" >"${state}/hosts"
  mount --bind "${state}/hosts" /etc/hosts
  head -c 1024 /dev/urandom >"${state}/key"
  chmod 600 "${state}/key"
  # This plugin, not used, asks for no control groups; the other wants systemd.
  echo "CgroupPlugin=cgroup/v1" >"${state}/cgroup.conf"
  # Files that are there and nothing opens stand for the devices.
  echo "Name=gpu File=/dev/tty[1-8]" >"${state}/gres.conf"
  cat >"${state}/slurm.conf" <<CONF
ClusterName=private
SlurmctldHost=controller(127.0.0.1)
SlurmUser=root
AuthInfo=socket=${state}/munge,cred_expire=5
CredType=cred/munge
StateSaveLocation=${state}/state
SlurmdSpoolDir=${state}/%n/spool
TmpFS=${state}/%n/tmp
SlurmctldPidFile=${state}/slurmctld.pid
SlurmdPidFile=${state}/%n/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MinJobAge=3600
GresTypes=gpu
NodeName=DEFAULT CPUs=${cpus} CoresPerSocket=${cpus} Gres=gpu:8
$(for ((node = 1; node <= nodes; ++node)); do echo "NodeName=node${node} NodeAddr=127.0.0.1 Port=$((7000 + node))"; done)
PartitionName=main Nodes=ALL Default=YES PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=ALL PriorityTier=2 PreemptMode=OFF
CONF
}

start() {
  local nodes=$1 node tries=0
  export SLURM_CONF=${state}/slurm.conf
  munged --foreground --force --num-threads=2 --socket="${state}/munge" --key-file="${state}/key" \
    --pid-file="${state}/munged.pid" --seed-file="${state}/seed" &>"${state}/log/munged" &
  slurmctld -D &>"${state}/log/slurmctld" &
  for ((node = 1; node <= nodes; ++node)); do
    # shellcheck disable=SC2016
    unshare --uts sh -c 'hostname "$1" && exec slurmd -D -N "$1"' sh "node${node}" &>"${state}/log/node${node}" &
  done
  until [[ $(timeout 5 sinfo -h -N -p main -t idle -o %N 2>/dev/null | wc -l) == "${nodes}" ]]; do
    if ((++tries > 150)); then
      tail -n 5 "${state}"/log/*
      echo "the private Slurm did not start"
      exit 1
    fi
    sleep 0.2
  done
}

if [[ $1 != --inside ]]; then
  prepare
  exec unshare --fork --kill-child --pid --mount-proc --net --uts --mount "$0" --inside "$@"
fi
shift
configure "$1" "$2"
start "$1"
shift 2
# More ranks than cores, all traffic on the one interface there is.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo OMPI_MCA_hwloc_base_binding_policy=none
"$@" </dev/null
