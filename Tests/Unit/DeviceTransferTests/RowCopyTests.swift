// lmcache · SPDX-License-Identifier: Apache-2.0

import CSystemShims
import Glibc
import Testing

/// The shim's copies against byte-by-byte ones: right bytes in place, no other byte touched.
@Suite struct RowCopyTests {
    /// No byte is zero, and neighbouring rows differ.
    private static let pattern = (0..<(1 << 17)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) | 1 }

    private func check(_ rows: lmc_rows, destinationOffset: Int, sourceOffset: Int) {
        let reach = { (outer: Int, inner: Int) in
            (rows.outer_count - 1) * outer + (rows.inner_count - 1) * inner + rows.length
        }
        let destinationBytes = reach(rows.destination_outer_stride, rows.destination_inner_stride)
        let sourceBytes = reach(rows.source_outer_stride, rows.source_inner_stride)
        precondition(sourceOffset + sourceBytes <= Self.pattern.count, "the pattern covers the source")
        let to = UnsafeMutableRawBufferPointer.allocate(
            byteCount: destinationOffset + destinationBytes + 64, alignment: 64)
        let from = UnsafeMutableRawBufferPointer.allocate(byteCount: sourceOffset + sourceBytes, alignment: 64)
        defer {
            to.deallocate()
            from.deallocate()
        }
        from.copyBytes(from: Self.pattern.prefix(from.count))
        to.initializeMemory(as: UInt8.self, repeating: 0)
        var expected = [UInt8](repeating: 0, count: to.count)
        for outer in 0..<rows.outer_count {
            for inner in 0..<rows.inner_count {
                let toRow =
                    destinationOffset + outer * rows.destination_outer_stride + inner * rows.destination_inner_stride
                let fromRow = sourceOffset + outer * rows.source_outer_stride + inner * rows.source_inner_stride
                expected.withUnsafeMutableBytes { bytes in
                    bytes[toRow..<toRow + rows.length].copyBytes(from: from[fromRow..<fromRow + rows.length])
                }
            }
        }
        guard let toBase = to.baseAddress, let fromBase = from.baseAddress else { return }
        lmc_fetch_ahead(fromBase + sourceOffset, sourceBytes)
        for streams in [false, true] {
            memset(toBase, 0, to.count)
            let copy = streams ? lmc_copy_rows_streaming : lmc_copy_rows
            withUnsafePointer(to: rows) { copy(toBase + destinationOffset, fromBase + sourceOffset, $0) }
            #expect(
                memcmp(toBase, expected, expected.count) == 0,
                "\(rows) at \(destinationOffset) from \(sourceOffset), streams \(streams)")
        }
    }

    /// Contiguous in the source and transposed in the destination, or the other way round, with `gap` bytes after rows.
    private func transposing(_ outer: Int, _ inner: Int, length: Int, gap: Int, scatters: Bool) -> lmc_rows {
        let pitch = length + gap
        let straight = (outer: inner * pitch, inner: pitch)
        let crossed = (outer: pitch, inner: outer * pitch)
        let (destination, source) = scatters ? (crossed, straight) : (straight, crossed)
        return lmc_rows(
            outer_count: outer, inner_count: inner, length: length, destination_outer_stride: destination.outer,
            destination_inner_stride: destination.inner, source_outer_stride: source.outer,
            source_inner_stride: source.inner)
    }

    @Test(arguments: [(1, 1), (2, 3), (16, 8)])
    func everyLengthCopiesExactlyItsRows(_ outer: Int, _ inner: Int) {
        for length in 1...288 {
            for scatters in [false, true] {
                let rows = self.transposing(outer, inner, length: length, gap: 0, scatters: scatters)
                self.check(rows, destinationOffset: 0, sourceOffset: 0)
            }
        }
    }

    @Test func everyAlignmentAndStrideCopiesExactlyItsRows() {
        for length in [16, 32, 48, 80, 112, 128, 144, 160, 256] {
            for offset in 0..<64 {
                for gap in [0, 1, 16, 48] {
                    let rows = self.transposing(
                        8, max(4, 512 / length), length: length, gap: gap, scatters: offset % 2 == 0)
                    self.check(rows, destinationOffset: offset, sourceOffset: (offset * 7) % 64)
                    self.check(rows, destinationOffset: offset & ~15, sourceOffset: offset)
                }
            }
        }
    }

    @Test func noRowsTouchNothing() {
        var byte: UInt8 = 7
        var other: UInt8 = 9
        for (outer, inner, length) in [(0, 1, 1), (1, 0, 1), (1, 1, 0)] {
            var rows = self.transposing(1, 1, length: length, gap: 0, scatters: false)
            rows.outer_count = outer
            rows.inner_count = inner
            lmc_copy_rows(&byte, &other, &rows)
            lmc_copy_rows_streaming(&byte, &other, &rows)
        }
        #expect(byte == 7 && other == 9)
    }

    @Test func aStreamedRunCopiesExactlyItsBytes() {
        for length in [0, 1, 4095, 4096, 4097, 4159, 4224, 8191] {
            for offset in 0..<64 {
                let to = UnsafeMutableRawBufferPointer.allocate(byteCount: length + 128, alignment: 64)
                let from = UnsafeMutableRawBufferPointer.allocate(byteCount: length + 64, alignment: 64)
                for index in from.indices { from[index] = UInt8(truncatingIfNeeded: index &* 37) | 1 }
                to.initializeMemory(as: UInt8.self, repeating: 0)
                if let toBase = to.baseAddress, let fromBase = from.baseAddress {
                    lmc_copy_streaming(toBase + offset, fromBase + (offset * 5) % 64, length)
                }
                let isCopied = (0..<to.count).allSatisfy { index in
                    let isInside = (offset..<offset + length).contains(index)
                    return to[index] == (isInside ? from[index - offset + (offset * 5) % 64] : 0)
                }
                #expect(isCopied, "\(length) bytes at \(offset)")
                to.deallocate()
                from.deallocate()
            }
        }
    }
}
