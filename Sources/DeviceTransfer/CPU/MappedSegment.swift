// lmcache · SPDX-License-Identifier: Apache-2.0

/// One mapped segment of an engine. Its descriptor stays open, so that the size can be checked before each use.
struct MappedSegment: @unchecked Sendable {  // the pointer is only followed by the device's thread
    let name: String
    let descriptor: Int32
    let base: UnsafeMutableRawPointer
    let byteCount: Int

    /// Opens and maps the first `byteCount` bytes of a segment that the engine owns. Nothing stays open on failure.
    init(
        _ name: SegmentName, byteCount: Int, calls: any SharedMemoryCalls
    ) throws(DeviceError) {
        self.name = name.text
        self.byteCount = byteCount
        switch calls.open(name.text) {
        case .success(let descriptor): self.descriptor = descriptor
        case .failure(let error):
            throw .unavailable(
                "shared memory \(name.text) cannot be opened (errno \(error.code)); the engine must run on this host, "
                    + "share /dev/shm and belong to the server's user")
        }
        do throws(DeviceError) {
            try Self.check(self.descriptor, name: name.text, byteCount: byteCount, calls: calls)
            switch calls.map(self.descriptor, byteCount: byteCount) {
            case .success(let base): self.base = base
            case .failure(let error): throw .system(call: "mmap", code: error.code, name: name.text)
            }
        } catch {
            calls.close(self.descriptor)
            throw error
        }
    }

    private static func check(
        _ descriptor: Int32, name: String, byteCount: Int, calls: any SharedMemoryCalls
    ) throws(DeviceError) {
        let status: SegmentStatus
        switch calls.status(descriptor) {
        case .success(let found): status = found
        case .failure(let error): throw .system(call: "fstat", code: error.code, name: name)
        }
        guard status.isRegularFile else {
            throw .invalid("shared memory \(name) is not a shared-memory segment")
        }
        let user = calls.effectiveUser()
        guard status.owner == user else {
            throw .unavailable(
                "shared memory \(name) belongs to user \(status.owner); only segments of the server's user \(user) are "
                    + "accepted")
        }
        guard status.byteCount >= byteCount else {
            throw .invalid(
                "shared memory \(name) has \(status.byteCount) bytes, fewer than the registered \(byteCount)")
        }
    }

    /// True while the file still covers the mapping, so that touching it cannot raise SIGBUS.
    func isWhole(calls: any SharedMemoryCalls) -> Bool {
        guard case .success(let status) = calls.status(self.descriptor) else { return false }
        return status.byteCount >= self.byteCount
    }

    /// True while the segment's name leads to this very file.
    func isCurrent(calls: any SharedMemoryCalls) -> Bool {
        guard case .success(let named) = calls.open(self.name) else { return false }
        defer { calls.close(named) }
        guard case .success(let there) = calls.status(named), case .success(let here) = calls.status(self.descriptor)
        else { return false }
        return there.file == here.file
    }

    func close(calls: any SharedMemoryCalls) {
        calls.unmap(self.base, byteCount: self.byteCount)
        calls.close(self.descriptor)
    }
}
