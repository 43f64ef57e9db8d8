#!/usr/bin/env bash
# Every row of the paper's ablation tables on any data set, in one table: what ablations.py says of its options.
exec python "$(dirname "$0")/ablations.py" "$@"
