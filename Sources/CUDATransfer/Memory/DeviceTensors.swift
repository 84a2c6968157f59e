// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import KVModel

/// The tensors of one registration at this process's device addresses.
struct DeviceTensors: Sendable {
    /// First element of each tensor; nil for tensors that no kernel group uses.
    let firstElements: [UInt64?]
    /// One a use of the table, to be given back.
    let keys: [AllocationTable.Key]
    private let references: [TorchReference]

    /// True for memory of this process, which its owner may free once the registration is closed.
    var areOfProcess: Bool {
        self.keys.contains { if case .process = $0 { true } else { false } }
    }

    /// Reads the descriptors that the layout uses; nothing is opened.
    ///
    /// - Returns: The requests, and the UUID of the one device that holds them all.
    static func requests(
        _ tensors: [MemoryDescriptor], layout: KVCacheLayout
    ) throws(DeviceError) -> (requests: [DeviceTensorRequest], uuid: String) {
        let used = Set(layout.kernelGroups.flatMap { $0.geometry.origins.map(\.tensor) }).sorted()
        var requests: [DeviceTensorRequest] = []
        var uuid: String?
        for tensor in used {
            guard tensors.indices.contains(tensor) else {
                throw .invalid("tensor \(tensor) is missing; kv_caches has \(tensors.count)")
            }
            let here = CUDADriver.normalised(tensors[tensor].deviceUUID)
            guard uuid == nil || uuid == here else {
                throw .invalid("tensor \(tensor): device \(here) is not that of the tensors before it, \(uuid ?? "")")
            }
            uuid = here
            requests.append(try DeviceTensorRequest(tensors[tensor], tensor: tensor))
        }
        guard let uuid else { throw .invalid("the registration uses no tensor") }
        return (requests, uuid)
    }

    /// Maps the allocations. The context must be current. Nothing stays mapped when it throws.
    init(
        _ requests: [DeviceTensorRequest], tensorCount: Int, allocations: AllocationTable
    ) throws(DeviceError) {
        var firstElements = [UInt64?](repeating: nil, count: tensorCount)
        var keys: [AllocationTable.Key] = []
        do throws(DeviceError) {
            for request in requests {
                let range = try Self.open(request, allocations)
                keys.append(request.key)
                guard request.end <= range.byteCount else {
                    throw .invalid(
                        "tensor \(request.tensor): its elements end at byte \(request.end) of its allocation, which "
                            + "has \(range.byteCount)")
                }
                firstElements[request.tensor] = range.base + UInt64(request.firstElementOffset)
            }
        } catch {
            for key in keys { allocations.close(key) }
            throw error
        }
        self.firstElements = firstElements
        self.keys = keys
        self.references = requests.compactMap(\.reference)
    }

    private static func open(
        _ request: DeviceTensorRequest, _ allocations: AllocationTable
    ) throws(DeviceError) -> AllocationTable.Range {
        do throws(CUDAFailure) {
            return try allocations.open(request.key, byteCount: request.allocationByteCount)
        } catch {
            throw .unavailable("tensor \(request.tensor): \(error)" + Self.advice(error.code))
        }
    }

    private static func advice(_ code: Int32?) -> String {
        switch code {
        case CUDACode.invalidContext:
            "; engine and server must have different process numbers: with one container each, share the host's "
                + "process namespace (--pid=host)"
        case CUDACode.invalidValue:
            "; the memory's process has ended, or belongs to another user or to another container's namespaces"
        default: ""
        }
    }

    func close(in allocations: AllocationTable) {
        for key in self.keys { allocations.close(key) }
        for reference in self.references { reference.drop() }
    }
}
