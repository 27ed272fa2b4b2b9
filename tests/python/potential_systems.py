"""Systems for the tests of BatchedPotential: every Force that is translated, with its options, and random ones."""

import math

import numpy as np
import openmm
from openmm import app, unit

FORCE_FIELDS = {
    "ff96": ["amber96.xml"],
    "ff03": ["amber03.xml"],
    "ff99SB-ILDN": ["amber99sbildn.xml"],
    "ff14SB": ["amber14-all.xml"],
    "ff19SB, with maps of torsions": ["amber19/protein.ff19SB.xml"],
    "CHARMM36, with maps of torsions": ["charmm36.xml"],
    "ff96, GBSAOBCForce": ["amber96.xml", "amber96_obc.xml"],
    "ff96, HCT": ["amber96.xml", "implicit/hct.xml"],
    "ff96, OBC1": ["amber96.xml", "implicit/obc1.xml"],
    "ff96, OBC2": ["amber96.xml", "implicit/obc2.xml"],
    "ff96, GBn": ["amber96.xml", "implicit/gbn.xml"],
    "ff14SB, GBn2": ["amber14-all.xml", "implicit/gbn2.xml"],
}
OPTIONS = {
    "CutoffNonPeriodic": (
        ["amber96.xml"],
        {"nonbondedMethod": app.CutoffNonPeriodic, "nonbondedCutoff": 0.6 * unit.nanometer},
    ),
    "CutoffNonPeriodic, switched": (
        ["amber96.xml"],
        {
            "nonbondedMethod": app.CutoffNonPeriodic,
            "nonbondedCutoff": 0.6 * unit.nanometer,
            "switchDistance": 0.4 * unit.nanometer,
        },
    ),
    "GBSAOBCForce within a cutoff": (
        ["amber96.xml", "amber96_obc.xml"],
        {"nonbondedMethod": app.CutoffNonPeriodic, "nonbondedCutoff": 0.6 * unit.nanometer},
    ),
    "OBC2 within a cutoff": (
        ["amber96.xml", "implicit/obc2.xml"],
        {"nonbondedMethod": app.CutoffNonPeriodic, "nonbondedCutoff": 0.6 * unit.nanometer},
    ),
    "GBn2 within a cutoff": (
        ["amber96.xml", "implicit/gbn2.xml"],
        {"nonbondedMethod": app.CutoffNonPeriodic, "nonbondedCutoff": 0.6 * unit.nanometer},
    ),
    "OBC1 with salt": (["amber96.xml", "implicit/obc1.xml"], {"implicitSolventKappa": 1.3 / unit.nanometer}),
    "OBC2 with salt within a cutoff": (
        ["amber96.xml", "implicit/obc2.xml"],
        {
            "implicitSolventKappa": 0.9 / unit.nanometer,
            "nonbondedMethod": app.CutoffNonPeriodic,
            "nonbondedCutoff": 0.6 * unit.nanometer,
        },
    ),
    "OBC2 without surface energy": (["amber96.xml", "implicit/obc2.xml"], {"sasaMethod": None}),
    "OBC1 in oil": (
        ["amber96.xml", "implicit/obc1.xml"],
        {"soluteDielectric": 2.0, "solventDielectric": 20.0},
    ),
}
WATERS = {"TIP4P-Ew": "amber14/tip4pew.xml", "TIP5P": "tip5p.xml"}


def make_from_force_field(topology, files, **options):
    options.setdefault("nonbondedMethod", app.NoCutoff)
    field = app.ForceField(*files)
    # CHARMM has two templates of the whole molecule.
    field.registerTemplateMatcher(
        lambda field, residue, *_: field._templates.get("ALAD") if residue.name == "Merged" else None
    )
    return field.createSystem(topology, constraints=None, rigidWater=False, **options)


def make_water(file, count, random):
    """A cluster of 8 molecules with virtual sites, and configurations of it, (count, n, 3), with NaN for the sites."""
    water = np.array([[0, 0, 0], [0.0957, 0, 0], [-0.024, 0.0927, 0]])
    topology = app.Topology()
    chain = topology.addChain()
    for _ in range(8):
        residue = topology.addResidue("HOH", chain)
        atoms = [
            topology.addAtom(name, app.Element.getBySymbol(name[0]), residue) for name in ("O", "H1", "H2")
        ]
        topology.addBond(atoms[0], atoms[1])
        topology.addBond(atoms[0], atoms[2])
    field = app.ForceField(file)
    modeller = app.Modeller(topology, np.tile(water, (8, 1)) * unit.nanometer)
    modeller.addExtraParticles(field)
    system = make_from_force_field(modeller.topology, [file])
    positions = np.full((count, 8, system.getNumParticles() // 8, 3), np.nan)
    grid = 0.31 * np.array(list(np.ndindex(2, 2, 2)))
    for configuration in positions:
        for molecule, place in zip(configuration, grid, strict=True):
            rotation = np.linalg.qr(random.normal(size=(3, 3)))[0]
            molecule[:3] = place + (water + random.normal(scale=0.003, size=(3, 3))) @ rotation
    return system, positions.reshape(count, -1, 3)


def make_particles(count):
    system = openmm.System()
    for _ in range(count):
        system.addParticle(12.0)
    return system


def bonded_chain(force, count, per_term, parameters):
    """Add terms along a chain: f(i, i+1, ...) with the parameters of term i."""
    for i in range(count - per_term + 1):
        force(*range(i, i + per_term), *parameters(i))


def _table_1d(periodic=False):
    values = [math.cos(x) + 0.1 * x * (0 if periodic else 1) for x in np.linspace(0, 2 * math.pi, 30)]
    return openmm.Continuous1DFunction(values, 0, 2 * math.pi, periodic)


def rb_torsions(n):
    force = openmm.RBTorsionForce()
    bonded_chain(force.addTorsion, n, 4, lambda i: (3.0, -2.0 + i, 1.5, 0.7, -0.4, 0.2))
    return [force]


def periodic_torsions(n):
    """Several periodicities and phases on the same atoms, forwards and backwards."""
    force = openmm.PeriodicTorsionForce()
    for k in range(1, 7):
        bonded_chain(force.addTorsion, n, 4, lambda i, k=k: (k, 0.3 * k, 2.0 + i))
    for i in range(n - 3):
        force.addTorsion(i + 3, i + 2, i + 1, i, 2, 0.9, 1.1)
    return [force]


def custom_bond(n):
    force = openmm.CustomBondForce("scale*D*(1-exp(-a*(r-r0)))^2")
    force.addGlobalParameter("scale", 1.3)
    for name in ("D", "a", "r0"):
        force.addPerBondParameter(name)
    bonded_chain(force.addBond, n, 2, lambda i: ([100.0 + i, 5.0, 0.15],))
    return [force]


def custom_angle(n):
    force = openmm.CustomAngleForce("k*(cos(theta)-cos(theta0))^2+0.1*sin(3*theta)")
    force.addPerAngleParameter("k")
    force.addPerAngleParameter("theta0")
    bonded_chain(force.addAngle, n, 3, lambda i: ([50.0, 1.7 + 0.1 * i],))
    return [force]


def custom_torsion(n):
    force = openmm.CustomTorsionForce(
        "k*min(dtheta, 2*pi-dtheta)^2; dtheta=abs(theta-theta0); pi=3.141592653589793"
    )
    force.addPerTorsionParameter("k")
    force.addPerTorsionParameter("theta0")
    bonded_chain(force.addTorsion, n, 4, lambda i: ([5.0, 0.2 * i],))
    return [force]


def compound_bond(n):
    force = openmm.CustomCompoundBondForce(
        4,
        "k*(distance(p1,p3)-d0)^2+angle(p2,p3,p4)*cos(dihedral(p1,p2,p3,p4))+0.3*x1*y3-z4^2+0.2*distance(p1,p3)",
    )
    force.addPerBondParameter("k")
    force.addGlobalParameter("d0", 0.25)
    bonded_chain(lambda *a: force.addBond(list(a[:4]), a[4]), n, 4, lambda i: ([300.0 + i],))
    return [force]


def compound_bond_with_table(n):
    force = openmm.CustomCompoundBondForce(
        3, "table(angle(p1,p2,p3)*2)*surface(distance(p1,p2), distance(p2,p3))"
    )
    force.addTabulatedFunction("table", _table_1d())
    grid = np.linspace(0, 1, 12)
    values = (np.sin(3 * grid)[:, None] + np.cos(2 * grid)[None, :]).T.flatten()
    force.addTabulatedFunction("surface", openmm.Continuous2DFunction(12, 12, values, 0, 1, 0, 1))
    bonded_chain(lambda *a: force.addBond(list(a)), n, 3, lambda i: ())
    return [force]


def points(n):
    force = openmm.CustomCompoundBondForce(
        3,
        "pointdistance(x1,y1,z1,0.1,0.2,0.3)+pointangle(x1,y1,z1,x2+0.01,y2,z2,x3,y3,z3)"
        "+pointdihedral(x1,y1,z1,x2,y2,z2,x3,y3,z3,1,0.5,0)",
    )
    bonded_chain(lambda *a: force.addBond(list(a)), n, 3, lambda i: ())
    return [force]


def external(n):
    force = openmm.CustomExternalForce("k*((x-x0)^2+2*y^2+z^4)+0.1*x*y")
    force.addPerParticleParameter("k")
    force.addPerParticleParameter("x0")
    for i in range(n):
        force.addParticle(i, [3.0 + i, 0.1 * i])
    return [force]


def _fill(force, n, parameters):
    for i in range(n):
        force.addParticle(parameters(i))
    # OpenMM wants the same exclusions in all Forces.
    for i, j in neighbours(n):
        force.addExclusion(i, j)
    return [force]


def neighbours(n):
    return [(i, j) for i in range(n) for j in range(i + 1, min(i + 3, n))]


def custom_nonbonded(n, method=openmm.CustomNonbondedForce.NoCutoff, switched=False):
    force = openmm.CustomNonbondedForce(
        "4*epsilon*((sigma/r)^12-(sigma/r)^6)+coupling*q1*q2/r; sigma=0.5*(sigma1+sigma2); epsilon=sqrt(epsilon1*epsilon2)"
    )
    for name in ("sigma", "epsilon", "q"):
        force.addPerParticleParameter(name)
    force.addGlobalParameter("coupling", 20.0)
    force.setNonbondedMethod(method)
    force.setCutoffDistance(0.5)
    force.setUseSwitchingFunction(switched)
    force.setSwitchingDistance(0.35)
    return _fill(force, n, lambda i: [0.1 + 0.01 * i, 0.5, (-1) ** i * 0.3])


def custom_nonbonded_cutoff(n):
    return custom_nonbonded(n, openmm.CustomNonbondedForce.CutoffNonPeriodic)


def custom_nonbonded_switched(n):
    return custom_nonbonded(n, openmm.CustomNonbondedForce.CutoffNonPeriodic, True)


def custom_nonbonded_tables(n):
    force = openmm.CustomNonbondedForce("pairs(type1, type2)*radial(r*6)")
    force.addPerParticleParameter("type")
    force.addTabulatedFunction("pairs", openmm.Discrete2DFunction(2, 2, [1.0, -0.5, -0.5, 2.0]))
    force.addTabulatedFunction("radial", _table_1d())
    return _fill(force, n, lambda i: [i % 2])


def custom_nonbonded_groups(n):
    force = custom_nonbonded(n)[0]
    force.addInteractionGroup(range(n // 2), range(n // 3, n))
    force.addInteractionGroup([0, 1], [n - 2, n - 1])
    return [force]


def custom_nonbonded_computed(n):
    force = openmm.CustomNonbondedForce("c1*c2*exp(-r/0.2)+a1*a2")
    force.addPerParticleParameter("a")
    force.addComputedValue("c", "a^2+shift")
    force.addGlobalParameter("shift", 0.4)
    return _fill(force, n, lambda i: [1 + 0.1 * i])


def custom_gb(n, method=openmm.CustomGBForce.NoCutoff):
    """Nothing of Born: values of pairs with exclusions, of particles that depend on the position, two pair energies."""
    force = openmm.CustomGBForce()
    force.addPerParticleParameter("a")
    force.addGlobalParameter("g", 0.7)
    force.addComputedValue("rho", "a2*exp(-r/0.3)", openmm.CustomGBForce.ParticlePair)
    force.addComputedValue("s", "sqrt(1+rho)+0.1*x*a", openmm.CustomGBForce.SingleParticle)
    force.addComputedValue("t", "s*rho+g*y", openmm.CustomGBForce.SingleParticle)
    force.addEnergyTerm("a*t+0.2*z*s", openmm.CustomGBForce.SingleParticle)
    force.addEnergyTerm("g*s1*s2*exp(-r)+t1*t2*r", openmm.CustomGBForce.ParticlePair)
    force.addEnergyTerm("0.1*(rho1+rho2)/r", openmm.CustomGBForce.ParticlePairNoExclusions)
    force.setNonbondedMethod(method)
    force.setCutoffDistance(0.45)
    return _fill(force, n, lambda i: [0.5 + 0.1 * i])


def custom_gb_cutoff(n):
    return custom_gb(n, openmm.CustomGBForce.CutoffNonPeriodic)


def nonbonded_offsets(n):
    force = openmm.NonbondedForce()
    force.addGlobalParameter("lambda", 0.6)
    for i in range(n):
        force.addParticle(0.2 * (-1) ** i, 0.1, 0.3)
        force.addParticleParameterOffset("lambda", i, 0.1, 0.01, 0.2)
    for i, j in neighbours(n):
        force.addException(i, j, 0.05 * i, 0.12, 0.1)
    force.addExceptionParameterOffset("lambda", 0, 0.3, 0.02, 0.4)
    return [force]


FORCES = [
    rb_torsions,
    periodic_torsions,
    custom_bond,
    custom_angle,
    custom_torsion,
    compound_bond,
    compound_bond_with_table,
    points,
    external,
    custom_nonbonded,
    custom_nonbonded_cutoff,
    custom_nonbonded_switched,
    custom_nonbonded_tables,
    custom_nonbonded_groups,
    custom_nonbonded_computed,
    custom_gb,
    custom_gb_cutoff,
    nonbonded_offsets,
]


def make_random(seed):
    """A chain of random length with random Forces of random parameters, and configurations of it."""
    random = np.random.default_rng(seed)
    n = int(random.integers(4, 11))
    system = make_particles(n)
    bonds, angles = openmm.HarmonicBondForce(), openmm.HarmonicAngleForce()
    bonded_chain(bonds.addBond, n, 2, lambda i: (random.uniform(0.1, 0.2), random.uniform(1e3, 3e5)))
    bonded_chain(angles.addAngle, n, 3, lambda i: (random.uniform(1.2, 2.8), random.uniform(10, 800)))
    torsions = openmm.PeriodicTorsionForce()
    for _ in range(int(random.integers(0, 12))):
        atoms = [int(a) for a in random.permutation(n)[:4]]
        torsions.addTorsion(*atoms, int(random.integers(1, 7)), random.uniform(-3, 3), random.normal())
    nonbonded = openmm.NonbondedForce()
    for _ in range(n):
        nonbonded.addParticle(random.normal(), random.uniform(0.05, 0.2), random.uniform(0, 1))
    for i, j in neighbours(n):
        nonbonded.addException(i, j, 0.1 * random.normal(), random.uniform(0.05, 0.2), random.uniform(0, 0.5))
    if random.random() < 0.4:
        nonbonded.setNonbondedMethod(openmm.NonbondedForce.CutoffNonPeriodic)
        nonbonded.setCutoffDistance(random.uniform(0.2, 1))
        nonbonded.setReactionFieldDielectric(random.uniform(1, 80))
        nonbonded.setUseSwitchingFunction(bool(random.integers(2)))
        nonbonded.setSwitchingDistance(0.7 * nonbonded.getCutoffDistance())
    forces = [bonds, angles, torsions, nonbonded]
    if random.random() < 0.3:
        born = openmm.GBSAOBCForce()
        for _ in range(n):
            born.addParticle(random.normal(), random.uniform(0.1, 0.2), random.uniform(0.6, 0.9))
        forces.append(born)
    for i in random.permutation(len(FORCES))[: int(random.integers(0, 4))]:
        forces += FORCES[i](n)
    for i in random.permutation(len(forces)):
        system.addForce(forces[i])
    return system, make_positions(n, 6, random)


def make_random_with_site(seed):
    """The same with the last particle a virtual site of random others."""
    system, _ = make_random(seed)
    random = np.random.default_rng(1000 + seed)
    n = system.getNumParticles()
    system.setParticleMass(n - 1, 0)
    while True:
        a, b, c = (int(i) for i in random.permutation(n - 1)[:3])
        u, v, w = random.uniform(-2, 2, 3)
        weights, x, y = (u, v, 1 - u - v), (-1, w, 1 - w), (u, -1, 1 - u)
        site = [
            # With weights that add up to one, no torsion of all three particles is defined.
            openmm.TwoParticleAverageSite(a, b, u, v),
            openmm.ThreeParticleAverageSite(a, b, c, *weights),
            openmm.OutOfPlaneSite(a, b, c, u, v, 10 * w),
            openmm.LocalCoordinatesSite(a, b, c, weights, x, y, openmm.Vec3(u, v, w) * 0.1),
            openmm.SymmetrySite(a, (0, 1, 0), (0, 0, 1), (1, 0, 0), (u, v, w), False),
        ][seed % 5]
        system.setVirtualSite(n - 1, site)
        positions = compute_sites(system, make_positions(n, 100, random))
        positions = positions[[is_sound(configuration) for configuration in positions]]
        if len(positions) >= 6:
            return system, positions[:6]


def make_positions(n, count, random):
    """Chains that do not run into themselves, (count, n, 3)."""
    result = []
    while len(result) < count:
        steps = random.normal(size=(n, 3))
        steps *= (random.uniform(0.13, 0.17, n) / np.linalg.norm(steps, axis=1))[:, None]
        chain = np.cumsum(steps, axis=0)
        if is_sound(chain):
            result.append(chain)
    return np.array(result)


def is_sound(chain):
    """Whether the particles of a chain are apart, and no angle along it is straight."""
    distances = np.linalg.norm(chain[:, None] - chain[None], axis=2) + np.eye(len(chain))
    steps = np.diff(chain, axis=0)
    straight = np.linalg.norm(np.cross(steps[:-1], steps[1:]), axis=1).min() < 0.3 * 0.15**2
    return distances.min() > 0.1 and not straight


def compute_sites(system, positions):
    """Positions with those of the virtual sites, for which anything may be given, as OpenMM computes them."""
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform("Reference"))
    result = []
    for configuration in np.nan_to_num(positions):
        context.setPositions(configuration)
        context.computeVirtualSites()
        result.append(context.getState(positions=True).getPositions(asNumpy=True)._value)
    return np.array(result)


def reference(system, positions, groups=-1, parameters=None):
    """Energies (kJ/mol), forces (kJ/mol/nm), and the sum of the sizes of all terms, on OpenMM's Reference platform."""
    copy = openmm.XmlSerializer.clone(system)
    for i, force in enumerate(copy.getForces()):
        force.setForceGroup(i % 32)
    context = openmm.Context(
        copy if groups == -1 else system,
        openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatform("Reference"),
    )
    for name, value in (parameters or {}).items():
        context.setParameter(name, value)
    energies, forces, sizes = [], [], []
    for configuration in compute_sites(system, positions):
        context.setPositions(configuration)
        state = context.getState(energy=True, forces=True, groups=groups)
        energies.append(state.getPotentialEnergy()._value)
        forces.append(state.getForces(asNumpy=True)._value)
        by_force = [
            abs(context.getState(energy=True, groups={g}).getPotentialEnergy()._value)
            for g in range(min(32, copy.getNumForces()))
        ]
        sizes.append(sum(by_force) + coulomb_size(system, configuration) + 0.05 * np.abs(forces[-1]).sum())
    return np.array(energies), np.array(forces), np.array(sizes)


def coulomb_size(system, configuration):
    """The sum of the sizes of all Coulomb terms, which cancel in the energy."""
    size = 0.0
    for force in system.getForces():
        if isinstance(force, (openmm.NonbondedForce, openmm.GBSAOBCForce, openmm.CustomGBForce)):
            charges = []
            for i in range(system.getNumParticles()):
                values = force.getParticleParameters(i)
                charges.append(
                    abs(
                        unit.Quantity.value_in_unit(values[0], unit.elementary_charge)
                        if unit.is_quantity(values[0])
                        else values[0]
                    )
                )
            r = (
                np.linalg.norm(configuration[:, None] - configuration[None], axis=2)
                + np.eye(len(charges)) * 0.2
            )
            size += 0.5 * 138.9 * float(np.sum(np.outer(charges, charges) / r))
    return size
