// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheService
import KVModel
import Testing

private let records: [JournalRecord] = [
    .registered(registration(7)),
    .registered(registration(.min, kind: .engineDriven, version: 255, byteCount: 0)),
    .unregistered(.cache, InstanceID(7)),
    .registered(JournaledRegistration(kind: .cache, instance: InstanceID(.max), frames: [])),
    .unregistered(.engineDriven, InstanceID(-1)),
]

@Suite struct JournalCodecTests {
    @Test func recordsSurviveARoundTrip() {
        let file = journalFile(records)
        let content = JournalCodec.decode(file)
        #expect(content?.records == records)
        #expect(content?.intactByteCount == file.count)
        #expect(content?.isTailDropped == false)
    }

    @Test func theFormatStaysAsItIs() {
        #expect(JournalCodec.header == [0x6C, 0x6D, 0x63, 0x6A, 0x72, 0x6E, 0x6C, 1])
        let record = JournalRecord.registered(
            JournaledRegistration(kind: .engineDriven, instance: InstanceID(0x0102), frames: [[9, 8]])
        )
        let body: [UInt8] = [2, 2, 1, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 9, 8]
        let checksum = CRC32C.checksum([17, 0, 0, 0] + body)
        let checksumBytes = (0..<4).map { UInt8(truncatingIfNeeded: checksum >> UInt32(8 * $0)) }
        #expect(JournalCodec.encode(record) == [17, 0, 0, 0] + checksumBytes + body)
    }

    @Test func checksumsAreCastagnoli() {
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.checksum([UInt8]()) == 0)
    }

    @Test func anEmptyFileIsAnEmptyJournal() {
        let content = JournalCodec.decode([])
        #expect(content?.records.isEmpty == true)
        #expect(content?.isTailDropped == false)
    }

    @Test func refusesWhatDoesNotStartLikeAJournal() {
        #expect(JournalCodec.decode(Array("lmcjrnl".utf8) + [2]) == nil)
        #expect(JournalCodec.decode([0]) == nil)
        #expect(JournalCodec.decode([UInt8](repeating: 0, count: 4096)) == nil)
    }

    @Test func refusesMoreFramesThanItCanCount() {
        let frames = [[UInt8]](repeating: [], count: 65_536)
        let many = JournaledRegistration(kind: .cache, instance: InstanceID(1), frames: frames)
        #expect(JournalCodec.encode(.registered(many)) == nil)
        let most = JournaledRegistration(kind: .cache, instance: InstanceID(1), frames: Array(frames.dropLast()))
        let bytes = journalFile([.registered(most)])
        #expect(JournalCodec.decode(bytes)?.records == [.registered(most)])
    }

    @Test func truncatedAnywhereItKeepsTheWholeRecords() {
        let file = journalFile(records)
        var ends = [JournalCodec.header.count]
        for record in records { ends.append(ends[ends.count - 1] + (JournalCodec.encode(record)?.count ?? 0)) }
        for length in 0..<file.count {
            let content = JournalCodec.decode(Array(file.prefix(length)))
            let whole = max(0, ends.filter { $0 <= length }.count - 1)
            #expect(content?.records == Array(records.prefix(whole)), "length \(length)")
            #expect(content?.intactByteCount == (length < ends[0] ? 0 : ends[whole]), "length \(length)")
            #expect(content?.isTailDropped == (length != 0 && !ends.contains(length)), "length \(length)")
        }
    }

    @Test func aFlippedBitNeverChangesARecord() {
        let file = journalFile(records)
        for position in file.indices {
            for bit in 0..<8 {
                var damaged = file
                damaged[position] ^= 1 << UInt8(bit)
                let content = JournalCodec.decode(damaged)
                #expect((content == nil) == (position < JournalCodec.header.count))
                guard let content else { continue }
                #expect(content.isTailDropped)
                #expect(records.starts(with: content.records) && content.records.count < records.count)
            }
        }
    }

    @Test func aValidChecksumOverBadContentIsStillRefused() {
        let bodies: [[UInt8]] = [
            [], [0], [3] + [UInt8](repeating: 0, count: 10), [1, 0, 0], [0x81, 0, 0, 0, 0, 0, 0, 0, 0, 9],
            [1, 0, 0, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255],
            [1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 255, 255, 255, 255], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
        ]
        for body in bodies {
            let file = JournalCodec.header + framed(body)
            #expect(JournalCodec.decode(file)?.records.isEmpty == true)
            #expect(JournalCodec.decode(file)?.droppedByteCount == file.count - JournalCodec.header.count)
        }
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func anyBytesAreTakenSafely(seed: UInt64) {
        var random = JournalTestRandom(seed: seed)
        for _ in 0..<400 { fuzzJournal(self.mutated(&random)) }
    }

    private func mutated(_ random: inout JournalTestRandom) -> [UInt8] {
        if Int.random(in: 0..<10, using: &random) == 0 { return random.bytes(upTo: 200) }
        var file = journalFile((0..<4).compactMap { _ in records.randomElement(using: &random) })
        if Bool.random(using: &random) { file += framed(random.bytes(upTo: 30)) }
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let position = Int.random(in: 0..<max(1, file.count), using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0 where !file.isEmpty: file[position] = UInt8.random(in: 0...255, using: &random)
            case 1: file.insert(contentsOf: random.bytes(upTo: 9), at: min(position, file.count))
            case 2: file.removeSubrange(position..<min(file.count, position + Int.random(in: 0...9, using: &random)))
            case 3: file += file.suffix(file.count - min(position, file.count))
            default: file = Array(file.prefix(position))
            }
        }
        return file
    }
}

/// A record frame with a right checksum around any body.
private func framed(_ body: [UInt8]) -> [UInt8] {
    let length = (0..<4).map { UInt8(truncatingIfNeeded: body.count >> (8 * $0)) }
    let checksum = CRC32C.checksum(length + body)
    return length + (0..<4).map { UInt8(truncatingIfNeeded: checksum >> UInt32(8 * $0)) } + body
}
