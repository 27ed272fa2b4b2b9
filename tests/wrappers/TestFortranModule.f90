! The Fortran module: objects come and go, default arguments are optional, errors are told, callbacks are called.

module callbacks
    use, intrinsic :: iso_c_binding
    implicit none
    integer(c_long_long) :: calls = 0

contains

    function stopAtOnce(done, total, data) bind(C) result(goOn)
        integer(c_long_long), value :: done, total
        type(c_ptr), value :: data
        integer(c_int) :: goOn
        integer(c_long_long), pointer :: seen
        call c_f_pointer(data, seen)
        seen = done
        calls = calls + 1
        goOn = merge(1_c_int, 0_c_int, done > total)
    end function
end module

program TestFortranModule
    use, intrinsic :: iso_c_binding
    use, intrinsic :: ieee_arithmetic, only: ieee_is_nan
    use OpenMM_Types
    use OpenMM
    use OpenMMFlow
    use callbacks
    implicit none

    type(OpenMM_StringArray) :: failures
    type(OpenMMFlow_Flow) :: flow

    failures = OpenMMFlow_Plugins_load()
    call OpenMM_StringArray_destroy(failures)
    flow = createFlow()
    call testFlow(flow)
    call testErrors(flow)
    call testEnsemble(flow)
    call testReplicaExchange()
    call testForces(flow)
    call check(len(OpenMMFlow_getLastError()) == 0, 'no error is left')
    call OpenMMFlow_Flow_destroy(flow)
    call check(flow%handle == 0, 'what was destroyed is gone')

contains

    subroutine check(isTrue, what)
        logical, intent(in) :: isTrue
        character(*), intent(in) :: what
        if (isTrue) return
        print '(4a)', what, ' (', OpenMMFlow_getLastError(), ')'
        stop 1
    end subroutine

    subroutine checkError(text)
        character(*), intent(in) :: text
        call check(index(OpenMMFlow_getLastError(), text) > 0, 'the error should hold: '//text)
        call OpenMMFlow_clearLastError()
    end subroutine

    ! (3, 4): a bent chain of four particles.
    function chain() result(positions)
        real(c_double) :: positions(3, 4)
        positions = reshape([0.03d0, 0.09d0, 0d0, 0d0, 0d0, 0d0, 0.145d0, 0d0, 0d0, 0.115d0, 0.02d0, 0.09d0], [3, 4])
    end function

    function createFlow() result(flow)
        type(OpenMMFlow_Flow) :: flow
        type(OpenMMFlow_Molecule) :: molecule
        type(OpenMMFlow_InternalFlowOptions) :: options
        type(OpenMM_IntArray) :: numbers
        type(OpenMM_BondArray) :: bonds
        type(OpenMM_Vec3Array) :: positions
        real(c_double) :: place(3, 4)
        integer :: i
        place = chain()
        call OpenMM_IntArray_create(numbers, 0)
        call OpenMM_BondArray_create(bonds, 0)
        call OpenMM_Vec3Array_create(positions, 0)
        do i = 1, 4
            call OpenMM_IntArray_append(numbers, merge(1, 8, i == 1 .or. i == 4))
            call OpenMM_Vec3Array_append(positions, place(:, i))
            if (i > 1) call OpenMM_BondArray_append(bonds, i - 2, i - 1)
        end do
        molecule = OpenMMFlow_Molecule_create()
        call OpenMMFlow_Molecule_setAtomicNumbers(molecule, numbers)
        call OpenMMFlow_Molecule_setBonds(molecule, bonds)
        call OpenMMFlow_Molecule_setPositions(molecule, positions)
        options = OpenMMFlow_InternalFlowOptions_create()
        call OpenMMFlow_InternalFlowOptions_setActivation(options, 'relu   ')
        call check(OpenMMFlow_InternalFlowOptions_getActivation(options) == 'relu', 'strings pass')
        call OpenMMFlow_InternalFlowOptions_setHidden(options, 8)
        flow = OpenMMFlow_FlowBuilder_createInternal(molecule, options=options)
        call check(flow%handle /= 0, 'a flow is created')
        call OpenMMFlow_InternalFlowOptions_destroy(options)
        call OpenMMFlow_Molecule_destroy(molecule)
        call OpenMM_Vec3Array_destroy(positions)
        call OpenMM_BondArray_destroy(bonds)
        call OpenMM_IntArray_destroy(numbers)
    end function

    subroutine createSystem(system, numParticles)
        type(OpenMM_System), intent(out) :: system
        integer, intent(in) :: numParticles
        type(OpenMM_HarmonicBondForce) :: bonds
        integer :: i, ignored
        call OpenMM_System_create(system)
        call OpenMM_HarmonicBondForce_create(bonds)
        ignored = OpenMM_System_addForce(system, transfer(bonds, OpenMM_Force(0)))
        do i = 1, numParticles
            ignored = OpenMM_System_addParticle(system, 16d0)
            if (i > 1) ignored = OpenMM_HarmonicBondForce_addBond(bonds, i - 2, i - 1, 0.145d0, 1d4)
        end do
    end subroutine

    subroutine testFlow(flow)
        type(OpenMMFlow_Flow), intent(in) :: flow
        type(OpenMMFlow_Flow) :: copy, described
        type(OpenMM_PropertyArray) :: metadata
        character(:), allocatable :: bytes
        call check(OpenMMFlow_Flow_getNumParticles(flow) == 4, 'four particles')
        call check(OpenMMFlow_Flow_getFamily(flow) == 'internal', 'family')
        call check(index(OpenMMFlow_Flow_getConfiguration(flow), 'relu') > 0, 'configuration')
        bytes = OpenMMFlow_Flow_toBytes(flow)
        call check(index(bytes, c_null_char) > 0, 'there are zeros among the bytes')
        copy = OpenMMFlow_Flow_fromBytes(bytes)
        call check(OpenMMFlow_Flow_getHash(copy) == OpenMMFlow_Flow_getHash(flow), 'bytes pass')
        described = OpenMMFlow_Flow_withMetadata(copy, 'made by', 'a test')
        metadata = OpenMMFlow_Flow_getMetadata(described)
        call check(OpenMMFlow_PropertyArray_get(metadata, 'made by') == 'a test', 'metadata')
        call OpenMMFlow_Flow_destroy(described)
        call OpenMMFlow_Flow_destroy(copy)
    end subroutine

    subroutine testErrors(flow)
        type(OpenMMFlow_Flow), intent(in) :: flow
        type(OpenMMFlow_Flow) :: missing
        type(OpenMMFlow_FlowSampler) :: sampler
        type(OpenMMFlow_WeightedEnsemble) :: nothing
        type(OpenMMFlow_WeightedEnsemble_Estimate) :: estimate
        type(OpenMM_System) :: system
        missing = OpenMMFlow_Flow_load('missing.safetensors')
        call check(missing%handle == 0, 'a missing file')
        call check(OpenMMFlow_Flow_getHash(missing) == '', 'a missing flow')
        call checkError('missing.safetensors')
        call createSystem(system, 5)
        sampler = OpenMMFlow_FlowSampler_create(system, flow, 300d0)
        call check(sampler%handle == 0, 'another number of particles')
        call checkError('5')
        call OpenMM_System_destroy(system)
        estimate = OpenMMFlow_WeightedEnsemble_getLogPartitionFunction(nothing)
        call check(ieee_is_nan(estimate%value), 'no ensemble')
        call checkError('target must not be NULL')
    end subroutine

    subroutine testEnsemble(flow)
        type(OpenMMFlow_Flow), intent(in) :: flow
        type(OpenMM_System) :: system
        type(OpenMMFlow_FlowSampler) :: sampler
        type(OpenMMFlow_WeightedEnsemble) :: ensemble, stopped
        type(OpenMMFlow_WeightedEnsemble_SampleRangeArray) :: ranges
        type(OpenMMFlow_WeightedEnsemble_SampleRange) :: range
        integer(c_long_long), target :: done
        call createSystem(system, 4)
        sampler = OpenMMFlow_FlowSampler_create(system, flow, 300d0)
        ensemble = OpenMMFlow_FlowSampler_sample(sampler, 1000_c_long_long, seed=7_c_int64_t)
        call check(OpenMMFlow_WeightedEnsemble_hasLogQ(ensemble), 'log q')
        ranges = OpenMMFlow_WeightedEnsemble_getSampleRanges(ensemble)
        range = OpenMMFlow_WeightedEnsemble_SampleRangeArray_get(ranges, 1_c_long_long)
        call check(range%seed == 7 .and. range%first == 0 .and. range%count == 1000, 'sample range')
        range = OpenMMFlow_WeightedEnsemble_SampleRangeArray_get(ranges, 2_c_long_long)
        call checkError('There is no element')
        call check(index(OpenMMFlow_WeightedEnsemble_toString(ensemble), 'Pareto k') > 0, 'summary')
        stopped = OpenMMFlow_FlowSampler_sample(sampler, 1000000_c_long_long, progress=stopAtOnce, progressData=c_loc(done))
        call check(calls == 1 .and. done < 1000000, 'the callback is called once')
        call check(OpenMMFlow_WeightedEnsemble_getNumSamples(stopped) == done, 'the callback stops the run')
        call OpenMMFlow_WeightedEnsemble_destroy(stopped)
        call OpenMMFlow_WeightedEnsemble_destroy(ensemble)
        call OpenMMFlow_FlowSampler_destroy(sampler)
        call OpenMM_System_destroy(system)
    end subroutine

    ! A BatchedLangevinMiddleIntegrator goes where a BatchedIntegrator is wanted.
    subroutine testReplicaExchange()
        type(OpenMM_System) :: system
        type(OpenMMFlow_BatchedPotential) :: potential
        type(OpenMM_DoubleArray) :: temperatures, positions
        type(OpenMMFlow_BatchedLangevinMiddleIntegrator) :: integrator
        type(OpenMMFlow_ReplicaExchange) :: exchange
        type(OpenMMFlow_LongLongArray) :: attempts
        real(c_double) :: place(12)
        integer :: i
        call createSystem(system, 4)
        potential = OpenMMFlow_BatchedPotential_create(system)
        temperatures = OpenMMFlow_ReplicaExchange_createTemperatures(300d0, 400d0, 2)
        integrator = OpenMMFlow_BatchedLangevinMiddleIntegrator_create(system, potential, temperatures, 1d0, 0.0005d0)
        place = reshape(chain(), [12])
        call OpenMM_DoubleArray_create(positions, 24)
        do i = 1, 24
            call OpenMM_DoubleArray_set(positions, i, place(1 + mod(i - 1, 12)))
        end do
        call OpenMMFlow_BatchedIntegrator_setPositions(integrator, positions)
        exchange = OpenMMFlow_ReplicaExchange_create(integrator, 2, 5)
        call check(OpenMMFlow_ReplicaExchange_run(exchange, 3_c_long_long) == 3, 'exchanges')
        call check(OpenMMFlow_BatchedIntegrator_getStepCount(integrator) == 15, 'steps')
        attempts = OpenMMFlow_ReplicaExchange_getNumAttempts(exchange)
        call check(OpenMMFlow_LongLongArray_get(attempts, 1_c_long_long) == 2, 'attempts by turns')
        call OpenMMFlow_ReplicaExchange_destroy(exchange)
        call OpenMMFlow_BatchedLangevinMiddleIntegrator_destroy(integrator)
        call OpenMM_DoubleArray_destroy(positions)
        call OpenMM_DoubleArray_destroy(temperatures)
        call OpenMMFlow_BatchedPotential_destroy(potential)
        call OpenMM_System_destroy(system)
    end subroutine

    subroutine testForces(flow)
        type(OpenMMFlow_Flow), intent(in) :: flow
        type(OpenMM_System) :: system
        type(OpenMM_IntArray) :: particles
        type(OpenMMFlow_BoltzmannGeneratorForce) :: force
        type(OpenMMFlow_MonteCarloFlowMove) :: move
        type(OpenMMFlow_FlowMoveStatistics) :: statistics
        type(OpenMM_LangevinMiddleIntegrator) :: integrator
        type(OpenMM_Platform) :: platform
        type(OpenMM_Context) :: context
        type(OpenMM_Vec3Array) :: positions
        real(c_double) :: place(3, 4)
        integer :: i
        call createSystem(system, 4)
        call OpenMM_IntArray_create(particles, 4)
        call OpenMM_Vec3Array_create(positions, 0)
        place = chain()
        do i = 1, 4
            call OpenMM_IntArray_set(particles, i, i - 1)
            call OpenMM_Vec3Array_append(positions, place(:, i))
        end do
        force = OpenMMFlow_BoltzmannGeneratorForce_create(flow, particles, 300d0)
        i = OpenMM_System_addForce(system, force%OpenMM_Force)
        move = OpenMMFlow_MonteCarloFlowMove_create(flow, 300d0, 2)
        i = OpenMM_System_addForce(system, move%OpenMM_Force)
        call check(OpenMM_System_getNumForces(system) == 3, 'Forces are added')
        call OpenMM_LangevinMiddleIntegrator_create(integrator, 300d0, 1d0, 0.0005d0)
        call OpenMM_Platform_getPlatformByName('Reference', platform)
        call OpenMM_Context_create_2(context, system, transfer(integrator, OpenMM_Integrator(0)), platform)
        call OpenMM_Context_setPositions(context, positions)
        call OpenMM_LangevinMiddleIntegrator_step(integrator, 20)
        statistics = OpenMMFlow_MonteCarloFlowMove_getStatistics(move, context)
        call check(OpenMMFlow_FlowMoveStatistics_getNumAttempts(statistics) == 10, 'moves are made')
        call OpenMM_Context_destroy(context)
        call OpenMM_LangevinMiddleIntegrator_destroy(integrator)
        call OpenMM_Vec3Array_destroy(positions)
        call OpenMM_IntArray_destroy(particles)
        call OpenMM_System_destroy(system)
    end subroutine
end program
