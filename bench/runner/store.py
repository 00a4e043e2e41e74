# What was measured, one JSON file for each run: the report is made from these
# and from nothing else.
#
# SPDX-License-Identifier: MIT
import json
import os
import shutil


class Store:
    def __init__(self, out):
        self.raw = os.path.join(out, 'raw')

    def path(self, *names):
        return os.path.join(self.raw, *names)

    def begin(self, part):
        """Forget what the part said before."""
        shutil.rmtree(self.path(part), ignore_errors=True)
        os.makedirs(self.path(part))

    def save(self, part, name, value):
        path = self.path(part, name + '.json')
        with open(path + '.new', 'w', encoding='utf-8') as f:
            json.dump(value, f, indent=1, sort_keys=True)
            f.write('\n')
        os.replace(path + '.new', path)

    def load(self, part, name):
        try:
            with open(self.path(part, name + '.json'), encoding='utf-8') as f:
                return json.load(f)
        except FileNotFoundError:
            return None

    def records(self, part):
        """All runs of a part in the order of their rounds."""
        if not os.path.isdir(self.path(part)):
            return []
        names = sorted(n[:-5] for n in os.listdir(self.path(part))
                       if n.endswith('.json') and n != 'part.json')
        found = [self.load(part, n) for n in names]
        return sorted(found, key=lambda r: (r['round'], r['number']))
