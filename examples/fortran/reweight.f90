! Usage: reweight FOLDER [COUNT]
!
! Draws COUNT configurations (10,000 by default) of alanine dipeptide from a flow, weights them against the energy of
! OpenMM, and prints how good they are, log Z, and the free energy of phi > 0 relative to phi < 0 with their errors.
! FOLDER holds system.xml and flow.safetensors, as ../alanine-dipeptide/obc1 does.
!
! With OpenMM and openmm-flow in PREFIX it is compiled by
!
!     gfortran PREFIX/include/OpenMMFortranModule.f90 PREFIX/include/OpenMMFlowFortranModule.f90 reweight.f90 \
!         -o reweight -LPREFIX/lib -lOpenMMFlowCWrapper -lOpenMM -Wl,-rpath,PREFIX/lib

program reweight
    use, intrinsic :: iso_c_binding
    use, intrinsic :: iso_fortran_env, only: error_unit
    use OpenMM_Types
    use OpenMM
    use OpenMMFlow
    implicit none

    real(c_double), parameter :: temperature = 300
    ! C, N, CA, C, counted from 1.
    integer, parameter :: phi(4) = [5, 7, 9, 15]

    character(4096) :: folder, text
    integer(c_long_long) :: count
    type(OpenMM_StringArray) :: failures
    type(OpenMM_System) :: system
    type(OpenMMFlow_Flow) :: flow
    type(OpenMMFlow_FlowSampler) :: sampler
    type(OpenMMFlow_WeightedEnsemble) :: ensemble
    type(OpenMMFlow_WeightedEnsemble_Estimate) :: logZ, difference

    if (command_argument_count() < 1 .or. command_argument_count() > 2) then
        call fail('give the folder that holds system.xml and flow.safetensors.')
    end if
    call get_command_argument(1, folder)
    count = 10000
    if (command_argument_count() == 2) then
        call get_command_argument(2, text)
        read (text, *) count
    end if

    failures = OpenMMFlow_Plugins_load()
    call OpenMM_StringArray_destroy(failures)
    system = loadSystem(trim(folder)//'/system.xml')
    flow = OpenMMFlow_Flow_load(trim(folder)//'/flow.safetensors')
    sampler = OpenMMFlow_FlowSampler_create(system, flow, temperature)
    ensemble = OpenMMFlow_FlowSampler_sample(sampler, count)
    ! Each call passed on the zero handle of one that had failed, so that one look is enough.
    if (len(OpenMMFlow_getLastError()) > 0) call fail(OpenMMFlow_getLastError())

    logZ = OpenMMFlow_WeightedEnsemble_getLogPartitionFunction(ensemble)
    difference = computeFreeEnergy(ensemble)
    print '(a, f12.6, a, i0)', 'effective samples    ', OpenMMFlow_WeightedEnsemble_getEffectiveSampleSize(ensemble), &
        ' of ', count
    print '(a, f12.6)', 'Pareto k             ', OpenMMFlow_WeightedEnsemble_getParetoK(ensemble)
    print '(a, f12.6, a, f12.6)', 'log Z                ', logZ%value, ' +- ', logZ%error
    print '(a, f12.6, a, f12.6, a)', 'F(phi>0) - F(phi<0)  ', difference%value, ' +- ', difference%error, ' kT'

    call OpenMMFlow_WeightedEnsemble_destroy(ensemble)
    call OpenMMFlow_FlowSampler_destroy(sampler)
    call OpenMMFlow_Flow_destroy(flow)
    call OpenMM_System_destroy(system)

contains

    subroutine fail(reason)
        character(*), intent(in) :: reason
        write (error_unit, '(2a)') 'reweight: ', reason
        stop 1
    end subroutine

    ! OpenMM ends the program where XML is not what it should be, so that a missing file has to be noticed here.
    function loadSystem(path) result(system)
        character(*), intent(in) :: path
        type(OpenMM_System) :: system
        character(:), allocatable :: xml
        integer :: unit, size, status
        open (newunit=unit, file=path, access='stream', form='unformatted', action='read', status='old', iostat=status)
        if (status /= 0) call fail(path//' cannot be read.')
        inquire (unit, size=size)
        allocate (character(size) :: xml)
        read (unit) xml
        close (unit)
        call OpenMM_XmlSerializer_deserializeSystem(xml, system)
    end function

    function cross(a, b) result(product)
        real(c_double), intent(in) :: a(3), b(3)
        real(c_double) :: product(3)
        product = cshift(a, 1)*cshift(b, 2) - cshift(a, 2)*cshift(b, 1)
    end function

    ! A torsion has the sign of the projection of its last bond on the normal of the plane of the first two.
    function isPhiPositive(positions) result(isPositive)
        real(c_double), intent(in) :: positions(:, :)
        logical :: isPositive
        real(c_double) :: bonds(3, 3)
        bonds = positions(:, phi(2:)) - positions(:, phi(:3))
        isPositive = dot_product(cross(bonds(:, 1), bonds(:, 2)), bonds(:, 3)) > 0
    end function

    function computeFreeEnergy(ensemble) result(difference)
        type(OpenMMFlow_WeightedEnsemble), intent(in) :: ensemble
        type(OpenMMFlow_WeightedEnsemble_Estimate) :: difference
        type(OpenMM_IntArray) :: negative, positive
        real(c_double), pointer :: flat(:), positions(:, :, :)
        integer :: i, count
        logical :: isPositive
        count = int(OpenMMFlow_WeightedEnsemble_getNumSamples(ensemble))
        flat => OpenMMFlow_DoubleArray_getData(OpenMMFlow_WeightedEnsemble_getPositions(ensemble))
        positions(1:3, 1:size(flat)/(3*count), 1:count) => flat
        call OpenMM_IntArray_create(negative, count)
        call OpenMM_IntArray_create(positive, count)
        ! Indices of OpenMM's arrays begin at 1 here.
        do i = 1, count
            isPositive = isPhiPositive(positions(:, :, i))
            call OpenMM_IntArray_set(negative, i, merge(0, 1, isPositive))
            call OpenMM_IntArray_set(positive, i, merge(1, 0, isPositive))
        end do
        difference = OpenMMFlow_WeightedEnsemble_computeFreeEnergyDifference(ensemble, negative, positive)
        call OpenMM_IntArray_destroy(positive)
        call OpenMM_IntArray_destroy(negative)
    end function
end program
