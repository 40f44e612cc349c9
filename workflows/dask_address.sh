#!/usr/bin/env bash
# A Dask scheduler and workers by Dask's own command lines, and a job on them by the scheduler's address.
#
#   workflows/dask_address.sh country.yaml
#   WORKERS=8 workflows/dask_address.sh country.yaml --set execution.memory=64GiB
#
# Needs:     the commands `wholecloth` (WHOLECLOTH names another) and `dask` (DASK names another) of one environment. What is started here listens to the
#            loopback alone. On several machines dask-ssh, a chart of Kubernetes or Coiled start the same two commands, with an interface and certificates;
#            the workers must see raster, weights and store, and `run` is given the address of the scheduler as below.
# Hardware:  WORKERS processes (2) on this machine.
# Expected:  what `wholecloth run` says, and its exit code. Scheduler and workers are gone afterwards, whatever ends the script.
set -u
config=${1:?usage: dask_address.sh CONFIG [--set key.path=value ...]}
folder=$(mktemp -d)
export DASK_TEMPORARY_DIRECTORY=$folder
trap 'kill $(jobs -p) 2> /dev/null; wait; rm -rf "$folder"' EXIT

${DASK:-dask} scheduler --host 127.0.0.1 --port 0 --no-dashboard --scheduler-file "$folder/scheduler.json" 2> "$folder/scheduler.log" &
scheduler=$!
until [ -s "$folder/scheduler.json" ]; do
    kill -0 $scheduler 2> /dev/null || { cat "$folder/scheduler.log" >&2; exit 75; }
    sleep 0.2
done
${DASK:-dask} worker --scheduler-file "$folder/scheduler.json" --host 127.0.0.1 --nworkers "${WORKERS:-2}" --nthreads 1 --memory-limit 0 --no-dashboard \
    --death-timeout 60 2> "$folder/workers.log" &

address=$(sed -n 's/.*"address": "\([^"]*\)".*/\1/p' "$folder/scheduler.json")
${WHOLECLOTH:-wholecloth} run "$config" --set execution.engine=address --set execution.address.scheduler="$address" "${@:2}" &
run=$!
trap 'told=yes; kill -TERM $run 2> /dev/null' TERM
trap 'told=yes; kill -INT $run 2> /dev/null' INT
while
    told=
    wait $run
    code=$?
    [ -n "$told" ] # it was the signal that ended the wait
do :; done
exit "$code"
