"""CPUs, NUMA cells and memory pages asked for and not to be had."""

from computed.errors.base import Forbidden, Invalid, NovaException


class CPUPinningInvalid(Invalid):
    msg_fmt = "CPUs %(requested)s cannot be pinned, free are %(available)s."


class CPUPinningUnknown(Invalid):
    msg_fmt = "CPUs %(requested)s cannot be pinned, known are %(available)s."


class CPUUnpinningInvalid(Invalid):
    msg_fmt = "CPUs %(requested)s cannot be unpinned, pinned are %(available)s."


class CPUUnpinningUnknown(Invalid):
    msg_fmt = "CPUs %(requested)s cannot be unpinned, known are %(available)s."


class CPUThreadPolicyConfigurationInvalid(Invalid):
    msg_fmt = "A CPU thread policy needs dedicated CPUs."


class BadRequirementEmulatorThreadsPolicy(Invalid):
    msg_fmt = "Isolated emulator threads need dedicated CPUs."


class InvalidCPUAllocationPolicy(Invalid):
    msg_fmt = "CPU policy %(requested)s from %(source)s is not one of %(available)s."


class InvalidCPUThreadAllocationPolicy(Invalid):
    msg_fmt = "CPU thread policy %(requested)s from %(source)s is not one of %(available)s."


class InvalidEmulatorThreadsPolicy(Invalid):
    msg_fmt = "Emulator thread policy %(requested)s is not one of %(available)s."


class InvalidMixedInstanceDedicatedMask(Invalid):
    msg_fmt = "A mixed instance needs at least one shared and one dedicated CPU."


class RequiredMixedInstancePolicy(Invalid):
    msg_fmt = "A mask of dedicated CPUs needs the mixed CPU policy."


class RequiredMixedOrRealtimeCPUMask(Invalid):
    msg_fmt = "The mixed CPU policy needs a mask of dedicated or real-time CPUs."


class MixedInstanceNotSupportByComputeService(NovaException):
    msg_fmt = "A compute is too old for mixed CPU policies."


class RealtimeConfigurationInvalid(Invalid):
    msg_fmt = "Real-time CPUs need dedicated CPUs."


class RealtimeMaskNotFoundOrInvalid(Invalid):
    msg_fmt = "Real-time CPUs need a mask that leaves at least one ordinary CPU."


class ImageCPUPinningForbidden(Forbidden):
    msg_fmt = "The image asks for a CPU policy that the flavor does not allow."


class ImageCPUThreadPolicyForbidden(Forbidden):
    msg_fmt = "The image asks for a CPU thread policy that the flavor does not allow."


class ImagePCINUMAPolicyForbidden(Forbidden):
    msg_fmt = "The image asks for a PCI NUMA policy that the flavor does not allow."


class ImageVCPULimitsRangeExceeded(Invalid):
    msg_fmt = (
        "The image allows %(image_sockets)s:%(image_cores)s:%(image_threads)s sockets:cores:threads, "
        "more than the flavor's %(flavor_sockets)s:%(flavor_cores)s:%(flavor_threads)s."
    )


class ImageVCPUTopologyRangeExceeded(Invalid):
    msg_fmt = (
        "The image wants %(image_sockets)s:%(image_cores)s:%(image_threads)s sockets:cores:threads, at "
        "most %(max_sockets)s:%(max_cores)s:%(max_threads)s are allowed."
    )


class ImageVCPULimitsRangeImpossible(Invalid):
    msg_fmt = (
        "%(vcpus)s CPUs cannot be arranged within %(sockets)s:%(cores)s:%(threads)s sockets:cores:threads."
    )


class ImageNUMATopologyIncomplete(Invalid):
    msg_fmt = "CPUs and memory must be given for every NUMA cell or for none."


class ImageNUMATopologyForbidden(Forbidden):
    msg_fmt = "The image sets %(name)s, which the flavor does not allow."


class ImageNUMATopologyAsymmetric(Invalid):
    msg_fmt = "CPUs or memory do not divide evenly over the NUMA cells."


class ImageNUMATopologyCPUOutOfRange(Invalid):
    msg_fmt = "CPU %(cpunum)s lies beyond the last CPU %(cpumax)s."


class ImageNUMATopologyCPUDuplicates(Invalid):
    msg_fmt = "CPU %(cpunum)s is in two NUMA cells."


class ImageNUMATopologyCPUsUnassigned(Invalid):
    msg_fmt = "CPUs %(cpuset)s are in no NUMA cell."


class ImageNUMATopologyMemoryOutOfRange(Invalid):
    msg_fmt = "The NUMA cells have %(memsize)s MiB together, the flavor %(memtotal)s MiB."


class ImageNUMATopologyRebuildConflict(Invalid):
    msg_fmt = "The new image asks for another NUMA topology than the instance has."


class InvalidNUMANodesNumber(Invalid):
    msg_fmt = "%(nodes)s is no usable number of NUMA cells."


class NUMATopologyUnsupported(Invalid):
    msg_fmt = "This host cannot honour a NUMA topology."


class InvalidPCINUMAAffinity(Invalid):
    msg_fmt = "No PCI NUMA policy is called %(policy)s."


class MemoryPageSizeInvalid(Invalid):
    msg_fmt = "%(pagesize)s is no page size."


class MemoryPageSizeForbidden(Invalid):
    msg_fmt = "Page size %(pagesize)s is not allowed by %(against)s."


class MemoryPageSizeNotSupported(Invalid):
    msg_fmt = "This host has no memory pages of size %(pagesize)s."


class MemoryPagesUnsupported(Invalid):
    msg_fmt = "This host cannot hand out memory pages of a chosen size."


class InvalidReservedMemoryPagesOption(Invalid):
    msg_fmt = "Option reserved_huge_pages has an entry that cannot be read: %(conf)s"


class LockMemoryForbidden(Invalid):
    msg_fmt = "Locking the instance's memory is not allowed here."


class DeviceBusy(NovaException):
    msg_fmt = "%(file_path)s is busy."
