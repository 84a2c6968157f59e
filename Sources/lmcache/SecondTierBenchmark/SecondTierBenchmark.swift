// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Storage
import NativeThreads

/// Times stores, lookups and loads of one second tier, in this process, without a server.
struct SecondTierBenchmark {
    let plan: BenchmarkPlan
    let adapter: any L2Adapter
    let objects: BenchmarkObjects
    /// Called with one line a round and stage.
    let progress: (String) -> Void
    private let clock = MonotonicL2Clock()

    init(plan: BenchmarkPlan, adapter: any L2Adapter, progress: @escaping (String) -> Void) {
        self.plan = plan
        self.adapter = adapter
        self.objects = BenchmarkObjects(plan: plan)
        self.progress = progress
    }

    /// What all rounds came to, and how many loaded objects were wrong; nil when nothing was verified.
    struct Outcome {
        var figures: [OperationFigures] = []
        var wrongObjects: Int?
    }

    /// Runs the plan's operations in the order store, lookup, load.
    func run() -> Outcome {
        let stop = StopSignal()
        let ticker = NativeThread(name: "lmc-bench-tick") { [adapter] in
            while stop.wait(milliseconds: 5) { adapter.expireOverdue() }
        }
        defer {
            stop.raise()
            ticker.join()
        }
        var outcome = Outcome()
        for operation in BenchmarkPlan.Operation.allCases where self.plan.operations.contains(operation) {
            outcome.figures.append(self.run(operation))
            if operation == .load, self.plan.verifies {
                outcome.wrongObjects = self.objects.mismatches()
            }
        }
        return outcome
    }

    private func run(_ operation: BenchmarkPlan.Operation) -> OperationFigures {
        self.progress(
            "\n[\(operation.title)] Running \(self.plan.warmupRounds) warmup + \(self.plan.rounds) measurement rounds..."
        )
        var figures = OperationFigures(
            operation: operation, keysPerRound: self.plan.keysPerRound, roundBytes: self.plan.roundBytes)
        if operation == .load { self.objects.blank() }
        for round in 0..<self.plan.allRounds {
            let result = self.round(self.batches(operation, round: round))
            let text = Decimals.text(result.milliseconds, 2)
            let count = "\(result.successes)/\(self.plan.keysPerRound)"
            self.progress(
                "  [\(operation.title)] Round \(round + 1): \(text) ms, \(Self.counted(operation))=\(count)")
            guard round >= self.plan.warmupRounds else { continue }
            figures.add(
                milliseconds: result.milliseconds, successes: result.successes, timedOut: result.timedOut)
        }
        return figures
    }

    private static func counted(_ operation: BenchmarkPlan.Operation) -> String {
        switch operation {
        case .store: "success_keys"
        case .lookup: "found"
        case .load: "loaded"
        }
    }

    private func batches(_ operation: BenchmarkPlan.Operation, round: Int) -> [L2Operation] {
        switch operation {
        case .store: self.objects.submits(round: round).map(L2Operation.store)
        case .lookup: self.objects.probes(round: round).map(L2Operation.lookup)
        case .load: self.objects.submits(round: round).map(L2Operation.load)
        }
    }

    /// One round: submits everything, then waits for everything.
    private func round(
        _ batches: [L2Operation]
    ) -> (milliseconds: Double, successes: Int, timedOut: Bool) {
        let answers = BoundedQueue<[L2Result]>(capacity: batches.count)
        let start = self.clock.now()
        let deadline = start.advanced(milliseconds: self.plan.roundLimitMilliseconds)
        var accepted = 0
        for batch in batches {
            let submission = self.adapter.submit(
                L2Batch(batch, deadline: deadline) { results in
                    precondition(answers.push(results), "one answer a batch")
                })
            if case .accepted = submission { accepted += 1 }
        }
        var results: [L2Result] = []
        for _ in 0..<accepted { results += answers.pop() ?? [] }
        let nanoseconds = self.clock.now().nanoseconds - start.nanoseconds
        return (
            Double(nanoseconds) / 1e6, results.count { $0.isSuccess },
            results.contains { $0 == .failed(.expired) }
        )
    }
}
