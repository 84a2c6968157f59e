// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import DeviceTransfer
import EngineTestSupport
import KVModel

extension SimulationRun {
    mutating func retrieve() {
        guard let index = self.recentRequest() else { return }
        let request = self.requests[index]
        guard let hit = request.hit, hit > 0 else { return }
        let range = Int.random(in: 0..<hit, using: &self.random)..<hit
        self.requests[index].hit = nil
        if self.engines[request.engine].kind == .engineDriven { return self.prepareRead(request, range) }
        for worker in self.engines[request.engine].workers {
            self.retrieve(request, range, worker: worker)
        }
    }

    private mutating func retrieve(_ request: Request, _ range: Range<Int>, worker: SimulatedEngine.Worker) {
        let blocks = self.engines[request.engine].takeBlocks(chunks: range.count)
        let fake = self.engines[request.engine]
        guard let memory = self.server.memory(of: worker.instance) else { return }
        let skipped = Int.random(in: 0...SimulatedServer.chunkSize, using: &self.random)
        for group in fake.windows.indices {
            for block in blocks { memory.setContent(of: block, kernelGroup: group, 0) }
        }
        let (checks, prompt, number) = (self.checks, request.prompt, self.checks.asked())
        let order = TransferOrder(
            key: fake.workerKey(prompt, request: request.id, worker: worker, chunks: range), instance: worker.instance,
            blockIDs: Array(repeating: blocks, count: fake.windows.count), event: [], skippedTokens: skipped,
            connection: worker.connection)
        self.server.engine.retrieve(order) { result in
            checks.answered(number)
            guard result.isSuccessful else { return }
            for (group, window) in fake.windows.enumerated() {
                let needed = range.upperBound - min(range.count, window ?? range.count)
                for (position, block) in blocks.enumerated() {
                    let index = range.lowerBound * SimulatedEngine.blocksPerChunk + position
                    let isLeftAlone =
                        position < skipped / SimulatedServer.blockSize
                        || index / SimulatedEngine.blocksPerChunk < needed
                    let expected = fake.content(prompt, block: index, rank: worker.rank, kernelGroup: group)
                    checks.note(memory.content(of: block, kernelGroup: group), expected: isLeftAlone ? 0 : expected)
                }
            }
        }
    }

    mutating func store() {
        guard let index = self.recentRequest() else { return }
        let request = self.requests[index]
        let first = Int.random(in: 0..<request.prompt.chunkCount, using: &self.random)
        let range = first..<Int.random(in: first...request.prompt.chunkCount, using: &self.random)
        if self.engines[request.engine].kind == .engineDriven { return self.prepareWrite(request, range) }
        // With one rank for several workers only the first stores.
        let fake = self.engines[request.engine]
        for worker in fake.workers where worker.rank > 0 || worker.instance == fake.workers.first?.instance {
            self.store(request, range, worker: worker)
        }
    }

    private mutating func store(_ request: Request, _ range: Range<Int>, worker: SimulatedEngine.Worker) {
        let blocks = self.engines[request.engine].takeBlocks(chunks: range.count)
        let fake = self.engines[request.engine]
        guard let memory = self.server.memory(of: worker.instance) else { return }
        for group in fake.windows.indices {
            for (position, block) in blocks.enumerated() {
                let index = range.lowerBound * SimulatedEngine.blocksPerChunk + position
                let content = fake.content(request.prompt, block: index, rank: worker.rank, kernelGroup: group)
                memory.setContent(of: block, kernelGroup: group, content)
            }
        }
        let order = TransferOrder(
            key: fake.workerKey(request.prompt, request: request.id, worker: worker, chunks: range),
            instance: worker.instance, blockIDs: Array(repeating: blocks, count: fake.windows.count), event: [],
            connection: worker.connection)
        let (checks, number) = (self.checks, self.checks.asked())
        self.server.engine.store(order) { _ in checks.answered(number) }
        // The engine reuses its blocks only after the reply; the next store or retrieve takes others.
        while self.server.device.pendingCount > 12 { self.server.device.runNext() }
    }
}
