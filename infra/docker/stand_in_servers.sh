#!/usr/bin/env bash
# Makes stand-ins for the official images of PostgreSQL, Redis, Prometheus and Alertmanager where no image can be pulled.
#
#   sudo infra/docker/stand_in_servers.sh PREFIX [DEBIAN_MIRROR]
#
# Gives PREFIX/postgres, PREFIX/redis, PREFIX/prometheus and PREFIX/alertmanager: Debian's own packages, at the paths, with
# the users and the entry points of the official images, as far as docker-compose.yml uses them. Debian has no Grafana and
# no S3 server. Needs root, debootstrap and a Docker engine. Takes one to four minutes and 800 MB.
set -euo pipefail

prefix=${1:?give a prefix for the tags, such as labs-stand-in}
mirror=${2:-}
release=bookworm
here=$(cd "$(dirname "$0")" && pwd)

fail() {
  printf 'stand_in_servers: %s\n  next  %s\n' "$1" "$2" >&2
  exit 1
}

((EUID == 0)) || fail "debootstrap needs root" "Run it with sudo."
command -v debootstrap >/dev/null || fail "there is no debootstrap" "apt-get install debootstrap"
docker info >/dev/null 2>&1 || fail "no Docker engine answers" "Start it, or set DOCKER_HOST."

if [[ -z $mirror ]]; then # where this machine gets its own packages from
  # shellcheck disable=SC2016  # $(REPO_URI) is apt's own
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: '"$release" | head -n 1)
  [[ -n $mirror ]] || fail "this machine knows no Debian mirror" "Give one: stand_in_servers.sh $prefix http://…/debian"
fi

root=$(mktemp -d)
trap 'rm -rf -- "$root"' EXIT
packages=busybox,ca-certificates,postgresql,redis-server,prometheus,prometheus-alertmanager
debootstrap --variant=minbase --include="$packages" "$release" "$root" "$mirror" >&2

# The official images' users, places and names. initdb must find a name for the user that it runs as.
chroot "$root" usermod --uid 999 postgres
ln -s ../lib/postgresql/15/bin/initdb ../lib/postgresql/15/bin/postgres "$root/usr/bin/"
ln -sf ../bin/prometheus-alertmanager "$root/usr/bin/alertmanager"
ln -sf busybox "$root/bin/wget"
install -m 755 "$here/stand_ins/postgres_entry.sh" "$root/usr/local/bin/postgres_entry.sh"
rm -rf "$root"/var/lib/postgresql/* "$root"/data "$root"/prometheus "$root"/alertmanager
install -d -o 999 -g 999 -m 700 "$root/var/lib/postgresql/data"
install -d -o 999 -g 999 -m 3777 "$root/run/postgresql" # not by /var/run: that is a link, and leads to our own /run
install -d -o 999 -g 1000 "$root/data"
install -d -o 65534 -g 65534 "$root/prometheus" "$root/alertmanager"
mkdir -p "$root/docker-entrypoint-initdb.d"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/usr/share/{doc,man,locale}/*

tar --directory "$root" --numeric-owner --create . |
  docker import --change 'ENV LANG=C.UTF-8' - "$prefix/servers" >&2

image() { # name, lines of a Dockerfile
  printf 'FROM %s/servers\n%s\n' "$prefix" "$2" | docker build --quiet --tag "$prefix/$1" - >&2
}
image postgres 'ENV PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["postgres_entry.sh"]
CMD ["postgres"]'
image redis 'WORKDIR /data
VOLUME /data
CMD ["redis-server"]'
image prometheus 'WORKDIR /prometheus
USER 65534
VOLUME /prometheus
ENTRYPOINT ["prometheus"]'
image alertmanager 'WORKDIR /alertmanager
USER 65534
VOLUME /alertmanager
ENTRYPOINT ["alertmanager"]'
