// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import EngineTestSupport
import KVModel
import L1Cache

/// Which of the two ends of a prepared transfer have happened; after both the worker's process touches nothing.
protocol EndingTransfer {
    var instance: InstanceID { get }
    var connection: ConnectionID { get }
    var hasWorkerEnded: Bool { get set }
    var isConnectionClosed: Bool { get set }
}

/// Slots that an engine-driven worker writes, some at a time, and then commits.
struct PreparedWrite: EndingTransfer {
    let key: CacheKey
    let instance: InstanceID
    let connection: ConnectionID
    let prompt: Prompt
    let engine: SimulatedEngine
    let slots: [(place: ObjectPlace, chunk: Int)]
    var written = 0
    var hasWorkerEnded = false
    var isConnectionClosed = false
}

/// Slots that an engine-driven worker reads, some time later.
struct PreparedRead: EndingTransfer {
    let key: CacheKey
    let instance: InstanceID
    let connection: ConnectionID
    let prompt: Prompt
    let engine: SimulatedEngine
    let slots: [(place: ObjectPlace, chunk: Int)]
    var hasWorkerEnded = false
    var isConnectionClosed = false
}

extension Array where Element: EndingTransfer {
    mutating func note(connectionClosed connection: ConnectionID) {
        for index in self.indices where self[index].connection == connection { self[index].isConnectionClosed = true }
        self.removeAll { $0.hasWorkerEnded && $0.isConnectionClosed }
    }

    mutating func note(workerEnded instance: InstanceID, except connection: ConnectionID?) {
        for index in self.indices where self[index].instance == instance && self[index].connection != connection {
            self[index].hasWorkerEnded = true
        }
        self.removeAll { $0.hasWorkerEnded && $0.isConnectionClosed }
    }
}

extension SimulationRun {
    private func order(_ key: CacheKey, _ worker: SimulatedEngine.Worker) -> EngineDrivenOrder {
        EngineDrivenOrder(key: key, instance: worker.instance, connection: worker.connection)
    }

    mutating func prepareWrite(_ request: Request, _ range: Range<Int>) {
        let fake = self.engines[request.engine]
        let worker = fake.workers[0]
        let key = fake.workerKey(request.prompt, request: request.id, worker: worker, chunks: range)
        guard case .slots(let slots) = self.server.engine.prepareStore(self.order(key, worker)) else { return }
        self.writes.append(
            PreparedWrite(
                key: key, instance: worker.instance, connection: worker.connection, prompt: request.prompt,
                engine: fake,
                slots: zip(slots.places, slots.chunkIndices).map { ($0, range.lowerBound + $1) }))
        if self.random.chance(10) { _ = self.server.engine.prepareStore(self.order(key, worker)) }
    }

    /// Writes a slot of some open write, or commits it once all are written; in any order among the writes.
    mutating func advanceWrite() {
        guard let index = self.writes.indices.randomElement(using: &self.random) else { return }
        let write = self.writes[index]
        let remaining = write.slots.count - write.written
        let count = remaining == 0 ? 0 : Int.random(in: 1...remaining, using: &self.random)
        for slot in write.slots[write.written..<write.written + count] { self.fill(slot, of: write) }
        self.writes[index].written += count
        guard self.writes[index].written == write.slots.count, self.random.chance(70) else { return }
        // Nothing that was prepared under another layout is committed.
        guard let now = self.engines.first(where: { $0.workers.contains { $0.instance == write.instance } }),
            now.elementType == write.engine.elementType
        else { return }
        self.writes.remove(at: index)
        let (checks, number) = (self.checks, self.checks.asked())
        let order = EngineDrivenOrder(key: write.key, instance: write.instance, connection: write.connection)
        self.server.engine.commitStore(order, data: []) { _ in checks.answered(number) }
    }

    private func fill(_ slot: (place: ObjectPlace, chunk: Int), of write: PreparedWrite) {
        let words = self.server.words(slot.place)
        let blocks = SimulatedEngine.blocksPerChunk
        for index in words.indices {
            let block = slot.chunk * blocks + index % blocks
            words[index] = write.engine.content(write.prompt, block: block, rank: 0, kernelGroup: 0)
        }
    }

    /// The threads of a worker do not know yet that it has ended or lost its connection: they go on with their slots,
    /// until both has happened.
    mutating func connectionClosed(_ connection: ConnectionID) {
        self.lateWriters += self.writes.filter { $0.connection == connection }
        self.writes.removeAll { $0.connection == connection }
        self.lateWriters.note(connectionClosed: connection)
        self.reads.note(connectionClosed: connection)
    }

    /// The worker unregistered or was reaped, or registered anew on `connection`.
    mutating func workerEnded(_ instance: InstanceID, except connection: ConnectionID? = nil) {
        self.lateWriters += self.writes.filter { $0.instance == instance && $0.connection != connection }
        self.writes.removeAll { $0.instance == instance && $0.connection != connection }
        self.lateWriters.note(workerEnded: instance, except: connection)
        self.reads.note(workerEnded: instance, except: connection)
    }

    /// A thread of a worker that has ended or whose connection is lost writes nonsense to the slots that it once had.
    mutating func writeLate() {
        guard let write = self.lateWriters.randomElement(using: &self.random) else { return }
        for slot in write.slots {
            let words = self.server.words(slot.place)
            for index in words.indices { words[index] = 0xBAD_BAD }
        }
        // It may even commit, on its old or on its new connection.
        guard self.random.chance(30) else { return }
        let (checks, number) = (self.checks, self.checks.asked())
        let order = EngineDrivenOrder(key: write.key, instance: write.instance, connection: write.connection)
        if self.writes.contains(where: { $0.key.requestID == write.key.requestID && $0.instance == write.instance }) {
            return checks.answered(number)
        }
        self.server.engine.commitStore(order, data: []) { isStored in
            checks.answered(number)
            checks.note(isStored ? 1 : 0, expected: 0)
        }
    }

    mutating func prepareRead(_ request: Request, _ range: Range<Int>) {
        let fake = self.engines[request.engine]
        let worker = fake.workers[0]
        let key = fake.workerKey(request.prompt, request: request.id, worker: worker, chunks: range)
        let answers = Answers<PreparedRetrieve>()
        self.server.engine.prepareRetrieve(self.order(key, worker)) { answers.add($0) }
        guard case .slots(let slots) = answers.all.first else { return }
        self.checks.note(UInt64(slots.places.count), expected: UInt64(range.count))
        self.reads.append(
            PreparedRead(
                key: key, instance: worker.instance, connection: worker.connection, prompt: request.prompt,
                engine: fake, slots: Array(zip(slots.places, range))))
    }

    /// Reads the slots of some open read and commits it.
    mutating func advanceRead() {
        guard let index = self.reads.indices.randomElement(using: &self.random) else { return }
        let read = self.reads.remove(at: index)
        let blocks = SimulatedEngine.blocksPerChunk
        for slot in read.slots {
            let words = self.server.words(slot.place)
            for position in 0..<blocks {
                let expected = read.engine.content(
                    read.prompt, block: slot.chunk * blocks + position, rank: 0, kernelGroup: 0)
                let isWhole = stride(from: position, to: words.count, by: blocks).allSatisfy {
                    words[$0] == words[position]
                }
                self.checks.note(isWhole ? words[position] : 0xBAD, expected: expected)
            }
        }
        self.server.engine.commitRetrieve(
            EngineDrivenOrder(key: read.key, instance: read.instance, connection: read.connection))
    }
}
