// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EngineKit
import L2Storage

private let defaults = BenchmarkPlan()

extension BenchmarkPlan.Operation: ExpressibleByArgument {}

/// `lmcache bench l2`.
struct SecondTierBenchCommand: ExecutableCommand {
    static let configuration = CommandConfiguration(
        commandName: "l2",
        abstract: "Time stores, lookups and loads of one L2 adapter, in this process and without a server."
    )

    @Option(
        name: .customLong("l2-adapter"),
        help: ArgumentHelp("The adapter as for 'lmcache server'; else L2_ADAPTER_JSON.", valueName: "json"))
    var adapterJSON: String?

    @Option(
        name: .customLong("num-keys"), help: .given("Objects of one batch.", "n", default: defaults.keysPerSubmit),
        transform: Accepted.integer(1...1_000_000))
    var keysPerSubmit = defaults.keysPerSubmit

    @Option(
        name: .customLong("in-flight"),
        help: .given("Batches at once in one round.", "n", default: defaults.inFlight),
        transform: Accepted.integer(1...10_000))
    var inFlight = defaults.inFlight

    @Option(
        name: .customLong("data-size-kb"), help: .given("Size of an object.", "kib", default: defaults.objectKiB),
        transform: Accepted.integer(1...1_048_576))
    var objectKiB = defaults.objectKiB

    @Option(
        name: .customLong("l1-align-bytes"),
        help: .given("Alignment of the buffers, a power of two.", "bytes", default: defaults.alignment),
        transform: Accepted.integer(1...1_048_576))
    var alignment = defaults.alignment

    @Option(
        name: .customLong("rounds"), help: .given("Measured rounds.", "n", default: defaults.rounds),
        transform: Accepted.integer(1...100_000))
    var rounds = defaults.rounds

    @Option(
        name: .customLong("warmup-rounds"),
        help: .given("Rounds ahead that no figure counts.", "n", default: defaults.warmupRounds),
        transform: Accepted.integer(0...100_000))
    var warmupRounds = defaults.warmupRounds

    @Option(
        name: .customLong("lookup-max-hit-rate"),
        help: ArgumentHelp(
            "Most of the looked-up keys that a store has written, 0 to 1 (default: 0).", valueName: "rate"))
    var lookupHitRate = defaults.lookupHitRate

    @Flag(
        name: .customLong("skip-verify"), inversion: .prefixedNo, exclusivity: .chooseLast,
        help: "Skip comparing what the last round loaded with what was stored (default: --skip-verify).")
    var skipsVerification = true

    @Option(name: .customLong("only"), help: "Only this operation.")
    var only: BenchmarkPlan.Operation?

    @OptionGroup(title: "Report") var report: ReportOptions

    func validate() throws {
        guard self.lookupHitRate >= 0, self.lookupHitRate <= 1 else {
            throw ValidationError(
                "The value '\(self.lookupHitRate)' is invalid for '--lookup-max-hit-rate': accepted is 0 to 1")
        }
        guard self.alignment & (self.alignment - 1) == 0 else {
            throw ValidationError(
                "The value '\(self.alignment)' is invalid for '--l1-align-bytes': accepted is a power of two")
        }
        guard self.plan.keysPerRound <= BenchmarkPlan.roundByteLimit / self.plan.objectBytes else {
            throw ValidationError(
                "One round needs more than 64 GiB: lower '--num-keys', '--in-flight' or '--data-size-kb'")
        }
    }

    var plan: BenchmarkPlan {
        BenchmarkPlan(
            keysPerSubmit: self.keysPerSubmit, inFlight: self.inFlight, objectKiB: self.objectKiB,
            alignment: self.alignment, rounds: self.rounds, warmupRounds: self.warmupRounds,
            lookupHitRate: self.lookupHitRate, verifies: !self.skipsVerification,
            operations: self.only.map { [$0] } ?? BenchmarkPlan.Operation.allCases)
    }

    func execute(_ context: CommandContext) -> ExitStatus {
        Banner.print(context)
        guard let json = self.adapterJSON ?? context.environment["L2_ADAPTER_JSON"] else {
            context.fail("Missing value for '--l2-adapter': accepted is a JSON object with 'type'; or L2_ADAPTER_JSON")
            return .usage
        }
        do {
            let adapter = try AdapterSettings.start(
                json, surroundings: AdapterSurroundings(alignment: self.alignment))
            return self.measure(adapter, json: AdapterSettings.masked(json), context)
        } catch {
            context.fail(String(describing: error))
            return .failure
        }
    }

    /// Progress goes to standard error, so that standard output is the report alone.
    private func measure(_ adapter: any L2Adapter, json: String, _ context: CommandContext) -> ExitStatus {
        let benchmark = SecondTierBenchmark(plan: self.plan, adapter: adapter) { line in
            if !self.report.isQuiet { context.writeError(line + "\n") }
        }
        let outcome = benchmark.run()
        let isClosed = adapter.close(milliseconds: 10_000)
        let status = self.report.emit(
            BenchmarkReport.make(adapterJSON: json, plan: self.plan, figures: outcome.figures), context)
        if !isClosed { context.fail("The adapter did not close within 10 s") }
        if let wrong = outcome.wrongObjects, wrong > 0 {
            context.fail("\(wrong) of \(self.plan.keysPerRound) loaded objects are not what was stored")
            return .failure
        }
        return isClosed ? status : .failure
    }
}
