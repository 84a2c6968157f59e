// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes
import Glibc
import Testing

@testable import CUDATransfer
@testable import KVModel

/// The PTX belongs to the source beside it. scripts/build-kernels --check also compiles it again where NVRTC is.
@Suite struct KernelSourceTests {
    @Test func thePTXWasMadeFromTheSource() throws {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let source = try #require(Self.contents("/\(root)/Sources/CUDATransfer/Kernels/copy_kernels.cu"))
        var hash = SHA256()
        for byte in source { hash.append(byte) }
        #expect(hash.finalized().description == CopyKernels.sourceDigest, "run scripts/build-kernels")
    }

    @Test func thePTXHasBothKernelsForEveryCardSinceVolta() {
        for text in [".entry lmc_gather(", ".entry lmc_scatter(", ".target sm_70", ".version 8.0", ".address_size 64"] {
            #expect(CopyKernels.ptx.contains(text))
        }
    }

    @Test func structuresAreAsTheKernelsReadThem() {
        #expect(MemoryLayout<lmc_copy_fragment>.size == 24 && MemoryLayout<lmc_copy_fragment>.stride == 24)
        #expect(MemoryLayout<lmc_copy_shape>.size == 32)
        #expect(MemoryLayout<lmc_copy_fragment>.offset(of: \.byte_count) == 16)
        #expect(MemoryLayout<lmc_copy_shape>.offset(of: \.page_head_stride) == 16)
    }

    private static func contents(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let length = read(file, &buffer, buffer.count)
            guard length > 0 else { return length == 0 ? bytes : nil }
            bytes += buffer[0..<length]
        }
    }
}
