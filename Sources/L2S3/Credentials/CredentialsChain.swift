// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// The first of several sources that has credentials, remembered until they are about to end. Any thread.
///
/// Lock: one; it is held while a source asks a server, so that only one thread does.
final class CredentialsChain: Sendable {
    private let sources: [any CredentialsSource]
    private let now: @Sendable () -> CivilTime
    private let state = Mutex(State())

    private struct State {
        var credentials: S3Credentials?
        var problem: CredentialsMissing?
        var asksAgain = CivilTime(seconds: 0)
    }

    /// New ones are asked for this long before the old ones end, in seconds.
    private static let margin = 300
    /// How long a failure is believed.
    private static let pause = 10

    init(_ sources: [any CredentialsSource], now: @escaping @Sendable () -> CivilTime = { CivilTime.now() }) {
        self.sources = sources
        self.now = now
    }

    /// The credentials to sign with now.
    func current() throws(CredentialsMissing) -> S3Credentials {
        let result: Result<S3Credentials, CredentialsMissing> = self.state.withLock { state in
            let now = self.now()
            if now >= state.asksAgain { self.renew(&state, now) }
            if let known = state.credentials, now < known.expiry ?? CivilTime(seconds: .max) { return .success(known) }
            return .failure(state.problem ?? CredentialsMissing("they have expired"))
        }
        return try result.get()
    }

    /// Lets the next call ask the sources: a service has refused what they said.
    func doubt() {
        self.state.withLock { state in
            let soon = CivilTime(seconds: self.now().seconds + Self.pause)
            state.asksAgain = min(state.asksAgain, soon)
        }
    }

    private func renew(_ state: inout State, _ now: CivilTime) {
        var problems: [String] = []
        for source in self.sources {
            do throws(CredentialsMissing) {
                guard let found = try source.credentials() else { continue }
                state.credentials = found
                state.problem = nil
                let end = found.expiry.map { max($0.seconds - Self.margin, now.seconds + Self.pause) }
                state.asksAgain = CivilTime(seconds: end ?? now.seconds + 24 * 3600)
                return
            } catch {
                problems.append("\(source.name): \(error)")
            }
        }
        state.problem = CredentialsMissing(
            problems.isEmpty
                ? "none in \(self.sources.map(\.name).joined(separator: ", "))" : problems.joined(separator: "; "))
        state.asksAgain = CivilTime(seconds: now.seconds + Self.pause)
    }
}
