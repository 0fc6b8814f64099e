"""The text of CGsmiles: its graph of beads and its fragments, as far as a molecule of two resolutions needs them.

Read are nodes with annotations, branches, rings, bond orders, repetition ``|n``, and in fragments SMILES with the operators
``[$] [>] [<] [!]`` and their labels. Of stereo marks, hydrogens and charges nothing is kept: atoms are matched by element and bond.
"""

import dataclasses
import re

import networkx
from rdkit import Chem, rdBase

ORDERS = {".": 0, "-": 1, "=": 2, "#": 3, "$": 4}
SYMBOLS = {order: symbol for symbol, order in ORDERS.items()}
NODE = re.compile(r"\[#([^\]]*)\]")
OPERATOR = re.compile(r"\[([$<>!]\w*)\]")
TOKEN = re.compile(r"\[[^\]]*\]|Cl|Br|[BCNOPSFIHbcnops*]|%\d\d|\d|[()=#:/\\.~$-]")


@dataclasses.dataclass(kw_only=True)
class Drawn:
    """A molecule with its beads, heavy atoms only."""

    elements: list[str]
    """Element of every atom."""
    bonds: list[tuple[int, int]]
    """Bonded pairs of atoms."""
    weights: list[float]
    """Weight of every atom beside its mass."""
    beads: list[tuple[list[int], dict[str, str]]]
    """Atoms of every bead, and its annotations with the name of its ``fragment``."""


def parse(text: str, where: str) -> Drawn:
    """A CGsmiles of two resolutions. Raises ``ValueError`` for anything else."""
    parts = re.fullmatch(r"\{([^{}]*)\}\.\{([^{}]*)\}", text)
    if parts is None:
        raise ValueError(f"{where}: '{text[:60]}' is not a CGsmiles of two resolutions, {{[#A][#B]}}.{{#A=CC[$],#B=[$]CO}}.")
    beads = _beads(parts[1], where)
    fragments = {}
    for entry in re.split(r",(?![^\[]*\])", parts[2]):
        name, equals, smiles = entry.partition("=")
        if not (equals and re.fullmatch(r"\s*#\w+", name)):
            raise ValueError(f"{where}: '{entry[:40]}' is not a fragment: write #NAME=SMILES.")
        fragments[name.strip()[1:]] = _fragment(smiles.strip(), where)
    missing = [beads.nodes[b]["fragment"] for b in beads if beads.nodes[b]["fragment"] not in fragments]
    if missing:
        raise ValueError(f"{where}: there is no fragment for bead '{missing[0]}': add #{missing[0]}=SMILES.")
    return _joined(beads, fragments)


def graph(nodes: list[tuple[str, list[str]]], edges: dict[int, dict[int, int]]) -> str:
    """The first resolution in braces: ``nodes`` are fragment names with annotations, ``edges`` their neighbours with bond orders.

    A node that does not come in its turn says its ``place``.
    """
    tree: dict[int, list[int]] = {0: []}
    closures: dict[int, list[tuple[int, int]]] = {}
    order, stack = [], [(0, None)]
    seen = set()
    while stack:
        node, parent = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        order.append(node)
        tree.setdefault(node, [])
        if parent is not None:
            tree[parent].append(node)
        stack += [(other, node) for other in sorted(edges[node], reverse=True) if other not in seen]
    joined = {frozenset((a, b)) for a in tree for b in tree[a]}
    loose = [(a, b) for a in order for b in sorted(edges[a]) if a < b and frozenset((a, b)) not in joined]
    for number, pair in enumerate(loose, start=1):
        for node in pair:
            closures.setdefault(node, []).append((number, edges[pair[0]][pair[1]]))
    turn = {node: place for place, node in enumerate(order)}

    def symbol(order: int) -> str:
        return "" if order == 1 else SYMBOLS[order]

    pieces: list[str] = []
    todo: list = [0]
    while todo:
        step = todo.pop()
        if isinstance(step, str):
            pieces.append(step)
            continue
        notes = nodes[step][1] + ([f"place={step}"] if turn[step] != step else [])
        rings = "".join(symbol(o) + (str(n) if n < 10 else f"%{n:02d}") for n, o in closures.get(step, []))
        pieces.append("[#" + ";".join([nodes[step][0], *notes]) + "]" + rings)
        *branches, last = [(symbol(edges[step][child]), child) for child in tree[step]] or [None]
        if last is not None:
            todo += [last[1], last[0]]
        for bond, child in reversed(branches):
            todo += [")", child, bond + "("]
    return "{" + "".join(pieces) + "}"


def fragment(molecule: Chem.Mol, inside: list[int], operators: list[list[tuple[str, Chem.BondType]]]) -> str:
    """SMILES of the atoms ``inside`` of a molecule without hydrogens, with the operators of each."""
    part, place, names = Chem.RWMol(), {}, []
    for atom in inside:
        place[atom] = part.AddAtom(molecule.GetAtomWithIdx(atom))
    for bond in molecule.GetBonds():
        if bond.GetBeginAtomIdx() in place and bond.GetEndAtomIdx() in place:
            part.AddBond(place[bond.GetBeginAtomIdx()], place[bond.GetEndAtomIdx()], bond.GetBondType())
    for atom, held in zip(inside, operators, strict=True):
        for text, order in sorted(held, key=lambda pair: pair[0]):
            if text not in names:
                names.append(text)
            end = Chem.Atom(0)
            end.SetIsotope(names.index(text) + 1)
            aromatic = order == Chem.BondType.AROMATIC
            part.AddBond(place[atom], part.AddAtom(end), Chem.BondType.SINGLE if aromatic else order)
    drawn = part.GetMol()
    drawn.UpdatePropertyCache(strict=False)
    smiles = Chem.MolToSmiles(drawn, isomericSmiles=True)
    smiles = re.sub(r"\(([=#]?\[\d+\*\])\)", r"\1", smiles)
    return re.sub(r"\[(\d+)\*\]", lambda found: names[int(found[1]) - 1], smiles)


def _beads(text: str, where: str) -> networkx.Graph:
    """The first resolution: nodes with ``fragment`` and annotations, edges with ``order``."""
    beads, branches, rings = networkx.Graph(), [], {}
    text = _expanded(text, where)
    last, order, position = None, 1, 0
    while position < len(text):
        rest = text[position:]
        if node := NODE.match(rest):
            name, *notes = node[1].split(";")
            here = beads.number_of_nodes()
            annotations = dict(note.partition("=")[::2] for note in notes if "=" in note)
            beads.add_node(here, notes={**annotations, "fragment": name}, fragment=name)
            if last is not None:
                beads.add_edge(last, here, order=order)
            last, order, position = here, 1, position + node.end()
            continue
        ring = re.match(r"([.=#$-]?)(%\d\d|\d)", rest)
        if ring and last is not None:
            bond = ORDERS.get(ring[1], 1)
            if ring[2] in rings:
                start, first = rings.pop(ring[2])
                beads.add_edge(start, last, order=bond if ring[1] else first)
            else:
                rings[ring[2]] = (last, bond)
            position += ring.end()
        elif rest[0] in ORDERS:
            order, position = ORDERS[rest[0]], position + 1
        elif rest[0] == "(" and last is not None:
            branches.append(last)
            position += 1
        elif rest[0] == ")" and branches:
            last, position = branches.pop(), position + 1
        else:
            raise ValueError(f"{where}: '{rest[:20]}' of the bead graph cannot be read: nodes are written [#NAME], bonds as in SMILES.")
    if rings or branches or not beads:
        raise ValueError(f"{where}: the bead graph '{text[:40]}' is empty, or a ring or branch in it stays open.")
    return beads


def _expanded(text: str, where: str) -> str:
    """``[#A]|3`` and ``[#A]([#B])|3`` written out."""
    while mark := re.search(r"\|(\d+)", text):
        end = mark.start()
        start = end
        while start > 0 and text[start - 1] == ")":
            depth, start = 1, start - 1
            while depth and start > 0:
                start -= 1
                depth += {")": 1, "(": -1}.get(text[start], 0)
        start = text.rfind("[#", 0, start)
        if start < 0 or not 1 <= int(mark[1]) <= 100_000:
            raise ValueError(f"{where}: '{mark[0]}' repeats no node: write [#A]|3.")
        text = text[:start] + text[start:end] * int(mark[1]) + text[mark.end() :]
    return text


def _fragment(smiles: str, where: str) -> networkx.Graph:
    """Heavy atoms of a fragment with ``element``, ``weight`` and ``operators``; edges are bonds."""
    clean, operators, weights, ahead, branches, last, count = "", {}, {}, [], [], None, 0
    position = 0
    while position < len(smiles):
        rest = smiles[position:]
        token = TOKEN.match(rest)
        if token is None:
            raise ValueError(f"{where}: '{rest[:20]}' of the fragment '{smiles[:40]}' is not SMILES.")
        word = token[0]
        position += len(word)
        if operator := OPERATOR.fullmatch(word):
            if last is None:
                ahead.append(operator[1])
                position += bool(re.match(r"[-=#:](?!\[[$<>!])", smiles[position:]))
            else:
                operators.setdefault(last, []).append(operator[1])
                clean = re.sub(r"[-=#:]$", "", clean)
            continue
        if word[0] == "[" or word[0].isalpha() or word == "*":
            last = count
            count += 1
            if ahead:
                operators.setdefault(last, []).extend(ahead)
                ahead = []
            inner, *notes = word.strip("[]").split(";")
            for number, note in enumerate(notes):
                key, equals, value = note.partition("=")
                if (equals and key == "w") or (not equals and number == 0):
                    try:
                        weights[last] = float(value if equals else key)
                    except ValueError:
                        raise ValueError(f"{where}: the weight '{note}' in '{smiles[:40]}' is no number: write w=0.5.") from None
            word = f"[{inner}]" if word[0] == "[" or inner == "H" else inner
        elif word == "(":
            branches.append(last)
        elif word == ")" and branches:
            last = branches.pop()
        clean += "" if word in "/\\" else word
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(clean.replace("()", ""), sanitize=False)
    if molecule is None or molecule.GetNumAtoms() != count or count == 0:
        raise ValueError(f"{where}: the fragment '{smiles[:40]}' is not SMILES.")
    drawn = networkx.Graph()
    for atom in molecule.GetAtoms():
        if atom.GetSymbol() != "H":
            i = atom.GetIdx()
            drawn.add_node(i, element=atom.GetSymbol(), weight=weights.get(i, 1.0), operators=operators.get(i, []))
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()]
    drawn.add_edges_from((i, j) for i, j in bonds if i in drawn and j in drawn)
    if not drawn:
        raise ValueError(f"{where}: the fragment '{smiles[:40]}' has hydrogen alone: hydrogens belong to the bead of their heavy atom.")
    return drawn


def _joined(beads: networkx.Graph, fragments: dict[str, networkx.Graph]) -> Drawn:
    """Fragments joined by their operators, edge by edge of the bead graph, first fit first; atoms joined by ``!`` are one."""
    atoms, free, merged = [], [], {}
    bonds: set[tuple[int, int]] = set()
    for bead in beads:
        fragment, first = fragments[beads.nodes[bead]["fragment"]], len(atoms)
        numbers = {vertex: first + i for i, vertex in enumerate(fragment)}
        atoms += [(fragment.nodes[v]["element"], fragment.nodes[v]["weight"]) for v in fragment]
        bonds |= {(numbers[i], numbers[j]) for i, j in fragment.edges}
        free.append([(numbers[v], operator) for v in fragment for operator in fragment.nodes[v]["operators"]])
    starts = [0, *(len(f) for f in (fragments[beads.nodes[b]["fragment"]] for b in beads))]
    for a, b, order in beads.edges(data="order"):
        for _ in range(order):
            pairs = ((one, other) for one in free[a] for other in free[b] if _fit(one[1], other[1]))
            found = next((p for p in pairs if p[0][1][0] != "!" or atoms[p[0][0]][0] == atoms[p[1][0]][0]), None)
            if found is None:
                continue
            free[a].remove(found[0])
            free[b].remove(found[1])
            if found[0][1][0] == "!":
                kept, gone = _root(merged, found[0][0]), _root(merged, found[1][0])
                merged |= {gone: kept} if gone != kept else {}
            else:
                bonds.add((found[0][0], found[1][0]))
    number = {old: new for new, old in enumerate(sorted({_root(merged, i) for i in range(len(atoms))}))}
    place = [number[_root(merged, i)] for i in range(len(atoms))]
    ends, total = [], 0
    for size in starts:
        total += size
        ends.append(total)
    listed = [(sorted({place[i] for i in range(ends[b], ends[b + 1])}), dict(beads.nodes[b]["notes"])) for b in beads]
    turn = sorted(range(len(listed)), key=lambda b: int(listed[b][1].pop("place", b)))
    return Drawn(
        elements=[atoms[i][0] for i in sorted(number)],
        weights=[atoms[i][1] for i in sorted(number)],
        bonds=sorted({(min(place[i], place[j]), max(place[i], place[j])) for i, j in bonds if place[i] != place[j]}),
        beads=[listed[b] for b in turn],
    )


def _root(merged: dict[int, int], atom: int) -> int:
    while atom in merged:
        atom = merged[atom]
    return atom


def _fit(one: str, other: str) -> bool:
    return one[0].translate(str.maketrans("<>", "><")) + one[1:] == other
