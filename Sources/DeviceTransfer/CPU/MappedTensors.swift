// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// The tensors of one registration in this process's memory. Each segment is mapped once; what is of this process needs
/// no mapping.
struct MappedTensors: @unchecked Sendable {  // the pointers are only followed by the device's thread
    let segments: [MappedSegment]
    /// First element of each tensor; nil for tensors that no kernel group uses.
    let firstElements: [UnsafeMutableRawPointer?]
    /// Whether any of them is memory of this process that somebody else owns.
    let areOfProcess: Bool

    /// Maps what the layout uses. Nothing stays mapped when it throws.
    init(
        _ tensors: [MemoryDescriptor], layout: KVCacheLayout, calls: any SharedMemoryCalls
    ) throws(DeviceError) {
        let requests = try Self.requests(tensors, layout: layout)
        var sizes: [(name: SegmentName, byteCount: Int)] = []
        var positions: [SegmentName: Int] = [:]
        for request in requests {
            guard let name = request.name else { continue }
            if let position = positions[name] {
                sizes[position].byteCount = max(sizes[position].byteCount, request.byteCount)
            } else {
                positions[name] = sizes.count
                sizes.append((name, request.byteCount))
            }
        }
        var segments: [MappedSegment] = []
        do throws(DeviceError) {
            for (name, byteCount) in sizes {
                segments.append(try MappedSegment(name, byteCount: byteCount, calls: calls))
            }
        } catch {
            for segment in segments { segment.close(calls: calls) }
            throw error
        }
        var firstElements = [UnsafeMutableRawPointer?](repeating: nil, count: tensors.count)
        for request in requests {
            let base = request.name.flatMap { positions[$0] }.map { segments[$0].base } ?? request.address
            firstElements[request.tensor] = base.map { $0 + request.byteOffset }
        }
        self.segments = segments
        self.firstElements = firstElements
        self.areOfProcess = requests.contains { $0.name == nil }
    }

    private struct Request {
        let tensor: Int
        /// Nil for memory of this process, which has an address instead.
        let name: SegmentName?
        let address: UnsafeMutableRawPointer?
        let byteCount: Int
        let byteOffset: Int
    }

    private static func requests(
        _ tensors: [MemoryDescriptor], layout: KVCacheLayout
    ) throws(DeviceError) -> [Request] {
        let used = Set(layout.kernelGroups.flatMap { $0.geometry.origins.map(\.tensor) }).sorted()
        var requests: [Request] = []
        for tensor in used {
            guard tensors.indices.contains(tensor) else {
                throw .invalid("tensor \(tensor) is missing; kv_caches has \(tensors.count)")
            }
            requests.append(try self.request(tensors[tensor], tensor: tensor))
        }
        return requests
    }

    private static func request(_ descriptor: MemoryDescriptor, tensor: Int) throws(DeviceError) -> Request {
        let name: SegmentName?
        let address: UnsafeMutableRawPointer?
        let byteCount: Int
        switch descriptor.storage {
        case .cpuSharedMemory(let given, let length):
            (name, address, byteCount) = (try self.segmentName(given, tensor: tensor), nil, length)
        case .process(let start, let length):
            (name, address, byteCount) = (nil, UnsafeMutableRawPointer(bitPattern: start), length)
        case .cuda, .cudaRaw, .cudaVMM:
            throw .wrongKind("tensor \(tensor): its type is not cpu_shm; this server's device is the CPU")
        }
        guard let span = descriptor.tensor.byteSpan, span > 0, byteCount > 0, span <= byteCount else {
            throw .invalid(
                "tensor \(tensor): its elements end at byte \(descriptor.tensor.byteSpan ?? -1), nbytes is "
                    + "\(byteCount)")
        }
        // Within the span, so it cannot overflow.
        let offset = descriptor.tensor.storageOffset * descriptor.tensor.elementType.byteCount
        return Request(tensor: tensor, name: name, address: address, byteCount: byteCount, byteOffset: offset)
    }

    private static func segmentName(_ given: String, tensor: Int) throws(DeviceError) -> SegmentName {
        if let name = SegmentName(given) { return name }
        throw .invalid(
            "tensor \(tensor): shm_name \(String(reflecting: String(given.prefix(80)))) is not accepted; it "
                + "needs 1 to 254 bytes without a slash after the first")
    }

    /// The first segment that became smaller than its mapping, if any.
    func shrunkSegment(calls: any SharedMemoryCalls) -> String? {
        self.segments.first { !$0.isWhole(calls: calls) }?.name
    }

    /// True while every page of every segment has memory.
    func isBacked(calls: any SharedMemoryCalls) -> Bool {
        self.segments.allSatisfy { segment in
            if case .success(let status) = calls.status(segment.descriptor) { status.isBacked } else { false }
        }
    }

    func close(calls: any SharedMemoryCalls) {
        for segment in self.segments { segment.close(calls: calls) }
    }
}
