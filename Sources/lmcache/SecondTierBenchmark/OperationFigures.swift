// lmcache · SPDX-License-Identifier: Apache-2.0

/// What the measured rounds of one operation came to.
struct OperationFigures: Equatable {
    let operation: BenchmarkPlan.Operation
    let keysPerRound: Int
    /// Bytes that a wholly successful round moves; 0 for lookups.
    let roundBytes: Int
    private(set) var milliseconds: [Double] = []
    private(set) var successes = 0
    private(set) var timedOutRounds = 0

    init(operation: BenchmarkPlan.Operation, keysPerRound: Int, roundBytes: Int) {
        self.operation = operation
        self.keysPerRound = keysPerRound
        self.roundBytes = operation == .lookup ? 0 : roundBytes
    }

    /// Takes one round in.
    mutating func add(milliseconds: Double, successes: Int, timedOut: Bool) {
        self.milliseconds.append(milliseconds)
        self.successes += successes
        if timedOut { self.timedOutRounds += 1 }
    }

    var rounds: Int { self.milliseconds.count }
    var totalKeys: Int { self.rounds * self.keysPerRound }

    var average: Double { self.rounds == 0 ? 0 : self.milliseconds.reduce(0, +) / Double(self.rounds) }
    var least: Double { self.milliseconds.min() ?? 0 }
    var most: Double { self.milliseconds.max() ?? 0 }

    /// The nearest-rank percentile, `share` in 0 … 1.
    func percentile(_ share: Double) -> Double {
        let sorted = self.milliseconds.sorted()
        guard let last = sorted.indices.last else { return 0 }
        let rank = Int((share * Double(sorted.count)).rounded(.up)) - 1
        return sorted[min(max(0, rank), last)]
    }

    /// The deviation of a sample, 0 for fewer than two rounds.
    var deviation: Double {
        guard self.rounds > 1 else { return 0 }
        let average = self.average
        let squares = self.milliseconds.reduce(0) { $0 + ($1 - average) * ($1 - average) }
        return (squares / Double(self.rounds - 1)).squareRoot()
    }

    /// MB/s (2^20 bytes) of a round that took `milliseconds`.
    func throughput(milliseconds: Double) -> Double {
        milliseconds > 0 ? Double(self.roundBytes) / 1_048_576 / milliseconds * 1000 : 0
    }

    /// Keys a second on average.
    var keysPerSecond: Double { self.average > 0 ? Double(self.keysPerRound) / self.average * 1000 : 0 }
    var millisecondsPerKey: Double { self.keysPerRound > 0 ? self.average / Double(self.keysPerRound) : 0 }
}
