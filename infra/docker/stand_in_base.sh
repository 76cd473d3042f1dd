#!/usr/bin/env bash
# Makes a stand-in for the official python image where no image can be pulled: offline, or in CI without a registry.
#
#   sudo infra/docker/stand_in_base.sh [TAG] [DEBIAN_MIRROR]
#
# TAG is python:3.11-slim-bookworm unless told. The image is Debian with its own Python 3.11, and nothing else. In
# /usr/local lies a virtual environment of it: there the official image keeps its Python, and pip's folders are the same
# (Debian's own pip uses others). Trust in the machine's certificates comes along, as in a company's own base image.
# Needs root, debootstrap and a Docker engine. Takes one to three minutes and 150 MB.
set -euo pipefail

tag=${1:-python:3.11-slim-bookworm}
mirror=${2:-}
release=bookworm

fail() {
  printf 'stand_in_base: %s\n  next  %s\n' "$1" "$2" >&2
  exit 1
}

((EUID == 0)) || fail "debootstrap needs root" "Run it with sudo."
command -v debootstrap >/dev/null || fail "there is no debootstrap" "apt-get install debootstrap"
docker info >/dev/null 2>&1 || fail "no Docker engine answers" "Start it, or set DOCKER_HOST."

if [[ -z $mirror ]]; then # where this machine gets its own packages from
  # shellcheck disable=SC2016  # $(REPO_URI) is apt's own
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: '"$release" | head -n 1)
  [[ -n $mirror ]] || fail "this machine knows no Debian mirror" "Give one: stand_in_base.sh $tag http://…/debian"
fi

root=$(mktemp -d)
trap 'rm -rf -- "$root"' EXIT

debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv "$release" "$root" "$mirror" >&2
chroot "$root" python3 -m venv /usr/local >&2

if [[ -r /etc/ssl/certs/ca-certificates.crt ]]; then
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
fi
# As in the official image: apt keeps no packages and no index of them.
cat >"$root/etc/apt/apt.conf.d/docker-clean" <<'END'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
END
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/usr/share/{doc,man,locale}/*

tar --directory "$root" --numeric-owner --create . |
  docker import \
    --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV LANG=C.UTF-8' \
    --change 'CMD ["python3"]' \
    - "$tag"
