// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage
internal import NativeThreads
internal import Synchronization

/// One bucket: signs requests, repeats those that may be repeated, and leaves a service alone that is gone. Any thread.
///
/// Lock: one, around the breaker; no call is made under it.
final class S3Service: Sendable {
    let configuration: S3Configuration
    private let client: any HTTPClient
    private let credentials: CredentialsChain
    private let clock: any L2Clock
    private let log: L2Log
    private let random: @Sendable () -> UInt64
    private let state = Mutex(State())
    private let stop = StopSignal()

    private struct State {
        var breaker = L2Breaker(S3Service.pauses)
        var isSaidToFail = false
    }

    private static let pauses: L2Breaker.Settings = {
        var settings = L2Breaker.Settings()
        settings.failureLimit = 3
        settings.pauseMilliseconds = 100
        settings.longestPauseMilliseconds = 10_000
        return settings
    }()
    /// Tries of one request, the first included.
    private static let tries = 4
    /// Other places that one request is sent to, one after another.
    private static let hops = 2
    /// A service that has not answered after this long has failed, in milliseconds.
    private static let fairWait: UInt64 = 1000
    private static let firstPause: UInt64 = 50
    private static let longestPause: UInt64 = 2000

    init(
        _ configuration: S3Configuration, client: any HTTPClient, credentials: CredentialsChain, clock: any L2Clock,
        log: L2Log, random: @escaping @Sendable () -> UInt64
    ) {
        self.configuration = configuration
        self.client = client
        self.credentials = credentials
        self.clock = clock
        self.log = log
        self.random = random
    }

    /// How a request to the bucket ended.
    enum Answer: Sendable {
        case reply(HTTPReply)
        case wrongLength(found: Int)
        case unavailable
    }

    /// Sends a request below the bucket, as often as it takes and as the deadline allows. Every request of ours may run
    /// twice.
    func send(_ request: HTTPRequest, deadline: L2Instant?) -> Answer {
        var request = request
        var hopsLeft = Self.hops
        for number in 1...Self.tries {
            if let isCancelled = request.isCancelled, isCancelled() { return .unavailable }
            guard self.mayPass() else { return .unavailable }
            let began = self.clock.now()
            let outcome = self.perform(request, deadline)
            // What nobody waits for any more says nothing about the service.
            if let isCancelled = request.isCancelled, isCancelled() { return .unavailable }
            switch self.judge(outcome, began: began, deadline) {
            case .over(let answer): return answer
            case .elsewhere(let origin) where hopsLeft > 0:
                hopsLeft -= 1
                request.origin = origin
            case .elsewhere: return .unavailable
            case .again(let after):
                guard number < Self.tries, self.pause(number, atLeast: after, deadline) else { return .unavailable }
            }
        }
        return .unavailable
    }

    /// Lets pauses end at once, from now on.
    func close() { self.stop.raise() }

    func note(_ line: String) { self.log.note(line) }

    // MARK: One try

    private enum Verdict {
        case over(Answer)
        /// Repeat it after at least so many milliseconds.
        case again(after: UInt64)
        case elsewhere(origin: String)
    }

    private func mayPass() -> Bool {
        let now = self.clock.now()
        return self.state.withLock { $0.breaker.request(now: now) } != .refuse
    }

    private var isTrusted: Bool { self.state.withLock { $0.breaker.state == .closed } }

    private func perform(_ request: HTTPRequest, _ deadline: L2Instant?) -> HTTPOutcome {
        let credentials: S3Credentials
        do throws(CredentialsMissing) {
            credentials = try self.credentials.current()
        } catch {
            return .impossible("no credentials: \(error)")
        }
        let signature = SignatureV4(credentials: credentials, region: self.configuration.region)
        return self.client.perform(
            signature.signed(request, at: CivilTime.now()), timeout: self.timeout(request, deadline))
    }

    private func timeout(_ request: HTTPRequest, _ deadline: L2Instant?) -> HTTPTimeout {
        // A second more for every mebibyte: what is slower than that does not serve.
        let bytes = request.body.byteCount + (request.destination?.byteCount ?? 0)
        var whole = self.configuration.requestMilliseconds + (bytes >> 20) * 1000
        if let deadline {
            let now = self.clock.now()
            let left = now < deadline ? (deadline.nanoseconds - now.nanoseconds) / 1_000_000 : 0
            whole = min(whole, max(1, Int(clamping: left)))
        }
        return HTTPTimeout(connect: min(whole, self.configuration.connectMilliseconds), whole: whole)
    }

    private func judge(_ outcome: HTTPOutcome, began: L2Instant, _ deadline: L2Instant?) -> Verdict {
        switch outcome {
        case .wrongLength(let found):
            self.noteAnswer()
            return .over(.wrongLength(found: found))
        case .impossible(let why):
            self.noteFailure(why)
            return .over(.unavailable)
        case .failed(_, let words):
            let now = self.clock.now()
            let isOverdue = now >= deadline ?? L2Instant(nanoseconds: .max)
            // A caller that waits for less than a service may take says nothing about the service.
            let isTooSoon = isOverdue && now < began.advanced(milliseconds: Self.fairWait)
            if !isTooSoon || !self.isTrusted { self.noteFailure(words) }
            return isOverdue ? .over(.unavailable) : .again(after: 0)
        case .reply(let reply): return self.judge(reply)
        }
    }

    private func judge(_ reply: HTTPReply) -> Verdict {
        switch reply.status {
        case 429, 500, 502, 503, 504:
            self.noteAnswer()
            let seconds = reply.headers["retry-after"].flatMap { UInt64($0) } ?? 0
            return .again(after: min(seconds, 60) * 1000)
        case 301, 302, 307, 308: return self.judgeRedirection(reply)
        case 400, 401, 403:
            self.credentials.doubt()
            self.noteAnswer(problem: self.words(of: reply))
            return .over(.reply(reply))
        default:
            self.noteAnswer()
            return .over(.reply(reply))
        }
    }

    /// A place that the service names is followed only where the connection stays as secure as it was.
    private func judgeRedirection(_ reply: HTTPReply) -> Verdict {
        if let region = reply.headers["x-amz-bucket-region"], region != self.configuration.region {
            self.noteAnswer(problem: "the bucket is in region '\(region.prefix(40))': set s3_region")
            return .over(.unavailable)
        }
        guard let place = reply.headers["location"].flatMap({ URLParts($0) }),
            place.scheme == "https" || self.configuration.origin.hasPrefix("http://")
        else {
            self.noteAnswer(problem: "redirected to nowhere usable, with status \(reply.status)")
            return .over(.unavailable)
        }
        self.noteAnswer()
        return .elsewhere(origin: place.origin)
    }

    private func words(of reply: HTTPReply) -> String {
        let error = XMLText(reply.body)
        let code = error.first("Code")?.text ?? "no reason"
        return
            "refused with status \(reply.status): \(code.prefix(80)) \(error.first("Message")?.text.prefix(200) ?? "")"
    }

    // MARK: Pauses

    /// Sleeps before a repetition, longer each time and never in step with others. False when the deadline is nearer.
    private func pause(_ number: Int, atLeast least: UInt64, _ deadline: L2Instant?) -> Bool {
        let full = min(Self.longestPause, Self.firstPause << UInt64(number - 1))
        let milliseconds = max(least, full / 2 + self.random() % (full / 2 + 1))
        let end = self.clock.now().advanced(milliseconds: milliseconds)
        guard milliseconds <= Self.longestPause, end < deadline ?? L2Instant(nanoseconds: .max) else { return false }
        return !self.stop.wait(milliseconds: Int(milliseconds))
    }

    private func noteAnswer(problem: String? = nil) {
        let wasFailing = self.state.withLock { state in
            state.breaker.succeeded()
            defer { state.isSaidToFail = problem != nil }
            return state.isSaidToFail
        }
        if let problem {
            if !wasFailing { self.log.note("\(self.configuration.origin): \(problem)") }
        } else if wasFailing {
            self.log.note("\(self.configuration.origin) answers again")
        }
    }

    private func noteFailure(_ words: String) {
        let now = self.clock.now()
        let isNews = self.state.withLock { state in
            state.breaker.failed(now: now)
            defer { state.isSaidToFail = true }
            return !state.isSaidToFail
        }
        if isNews { self.log.note("\(self.configuration.origin): \(words)") }
    }
}
