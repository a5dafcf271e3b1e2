#!/usr/bin/env bash
# Clones the committed state into an empty folder and does there what the README tells a new user to do:
# npm ci, npm start, and the three commands it prints.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || { kill -TERM -- "-$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
  rm -rf "$folder"
}
trap finish EXIT

git clone --quiet . "$folder/open-bridge"
cd "$folder/open-bridge"
npm ci --silent
set -m
npm start >"$folder/output" 2>&1 &
server=$!
set +m
for _ in $(seq 1 150); do
  grep -q 'Stop with Ctrl-C' "$folder/output" && break
  kill -0 "$server" 2>/dev/null || { cat "$folder/output"; echo 'npm start ended early'; exit 1; }
  sleep 0.2
done
grep '^ *curl ' "$folder/output" >"$folder/commands" || { cat "$folder/output"; echo 'npm start printed no commands'; exit 1; }
for README in README.md README.zh-CN.md; do
  while read -r command; do
    grep -qF -- "$command" "$README" || { echo "$README does not show: $command"; exit 1; }
  done <"$folder/commands"
done

run() { sed -n "${1}p" "$folder/commands" | bash -s 2>/dev/null; }
run 1 | grep -q '"errcode":0' || { echo 'the first command got no answer of the platform'; exit 1; }
run 2
[ "$(head -c 4 qrcode.png | tail -c 3)" = PNG ] || { echo 'the second command saved no PNG'; exit 1; }
run 3 | grep -q '"errcode":85107' || { echo 'the third command was not refused by the allow-list'; exit 1; }
echo 'clean clone: npm ci, npm start and its three commands work'
