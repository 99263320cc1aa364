#!/bin/bash
# Daemons of mirai for particleflow under Slurm: each task of this job is one daemon.
#
#   sbatch slurm.sh tcp://HOST:PORT
#
# HOST:PORT is where the session of R listens, see mirai::daemons(url = mirai::host_url(port = PORT)). The nodes must
# reach it, and should see the folder that simulate(to = ) writes to. A job that ends early loses nothing: what its
# daemons were doing is done again.
#SBATCH --job-name=particleflow
#SBATCH --ntasks=16
#SBATCH --cpus-per-task=2
#SBATCH --mem-per-cpu=4G
#SBATCH --time=04:00:00
set -eu
url=${1:?give the address of the session, such as tcp://10.0.0.1:5555}

# module load R/4.5   (as on your cluster)

# the tasks of a node run at the same time; without Slurm the line runs one daemon here
launch=srun
command -v srun > /dev/null || launch=
exec $launch Rscript --vanilla -e 'mirai::daemon(commandArgs(TRUE)[1], asyncdial = TRUE)' "$url"
