// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import L2Storage
internal import Synchronization

/// Performs exchanges with libcurl; connections are kept and used again. Any thread, one connection for each.
///
/// Lock: one, around the list of idle handles; no call is made under it.
final class CurlClient: HTTPClient {
    private let library: CurlLibrary
    private let settings: Settings
    private let idle = Mutex<[Handle]>([])

    struct Settings: Sendable, Equatable {
        /// A file of certificates that may sign a server's; nil for those that the system trusts.
        var authorityFile: String?
        var verifiesServer = true
        var prefersHTTP2 = true
    }

    /// A handle while nobody uses it, freed when it goes.
    private final class Handle: @unchecked Sendable {  // taken out of the list by one thread, which then owns it
        let address: CurlLibrary.Pointer
        private let library: CurlLibrary

        init?(_ library: CurlLibrary) {
            guard let address = library.makeHandle() else { return nil }
            self.address = address
            self.library = library
        }

        deinit { self.library.freeHandle(self.address) }
    }

    /// curl's own numbers for the version of HTTP.
    private static let http11 = 2
    /// curl's own number for a body that ended early.
    private static let partialFile: Int32 = 18
    private static let http2OverTLS = 4
    /// Below this many bytes a second for this many seconds an exchange is given up.
    private static let slowest = (bytes: 1024, seconds: 10)

    /// - Throws: Where this machine has no libcurl.
    init(_ settings: Settings) throws(CurlMissing) {
        self.library = try CurlLibrary.shared.get()
        self.settings = settings
    }

    func perform(_ request: HTTPRequest, timeout: HTTPTimeout) -> HTTPOutcome {
        guard let handle = self.idle.withLock({ $0.popLast() }) ?? Handle(self.library) else {
            return .impossible("libcurl has no memory")
        }
        let outcome = request.body.withBytes { source in
            self.perform(request, source, timeout, handle.address)
        }
        self.library.resetHandle(handle.address)
        self.idle.withLock { $0.append(handle) }
        return outcome
    }

    private func perform(
        _ request: HTTPRequest, _ source: UnsafeRawBufferPointer, _ timeout: HTTPTimeout,
        _ handle: CurlLibrary.Pointer
    ) -> HTTPOutcome {
        // The request holds the memory behind both addresses until this returns.
        let transfer = CurlTransfer(source: source, destination: request.destination?.bytes, of: request)
        let headers = self.headerList(request)
        defer { self.library.freeList(headers) }
        self.prepare(handle, request, timeout)
        self.library.set(.httpHeader, headers, on: handle)
        self.attach(transfer, to: handle, hasBody: source.count > 0 || request.method == "PUT", source.count)
        let (code, words) = withExtendedLifetime((transfer, request)) { self.library.performed(handle) }
        if let found = transfer.foundLength { return .wrongLength(found: found) }
        if let whole = transfer.wholeInstead { return .reply(whole) }
        guard code == 0 else {
            return .failed(code: code, words: words)
        }
        if let reply = transfer.finished() { return .reply(reply) }
        guard let found = transfer.foundLength else {
            return .failed(code: Self.partialFile, words: "a part of another length than asked for")
        }
        return .wrongLength(found: found)
    }

    private func prepare(_ handle: CurlLibrary.Pointer, _ request: HTTPRequest, _ timeout: HTTPTimeout) {
        let library = self.library
        library.set(.url, request.url, on: handle)
        library.set(.pathAsIs, 1, on: handle)
        library.set(.noSignal, 1, on: handle)
        library.set(.followLocation, 0, on: handle)
        library.set(.tcpNoDelay, 1, on: handle)
        library.set(.keepAlive, 1, on: handle)
        library.set(.uploadBufferSize, 1 << 20, on: handle)
        library.set(.httpVersion, self.settings.prefersHTTP2 ? Self.http2OverTLS : Self.http11, on: handle)
        library.set(.connectTimeoutMilliseconds, max(1, timeout.connect), on: handle)
        library.set(.timeoutMilliseconds, max(1, timeout.whole), on: handle)
        library.set(.lowSpeedLimit, Self.slowest.bytes, on: handle)
        library.set(.lowSpeedTime, Self.slowest.seconds, on: handle)
        switch request.method {
        case "GET": library.set(.httpGet, 1, on: handle)
        case "HEAD": library.set(.noBody, 1, on: handle)
        case "PUT": library.set(.upload, 1, on: handle)
        default:
            if request.body.byteCount > 0 { library.set(.upload, 1, on: handle) }
            library.set(.customRequest, request.method, on: handle)
        }
        if request.isLocal { library.set(.proxy, "", on: handle) }
        if !self.settings.verifiesServer {
            library.set(.verifyPeer, 0, on: handle)
            library.set(.verifyHost, 0, on: handle)
        }
        if let file = self.settings.authorityFile { library.set(.authorityFile, file, on: handle) }
    }

    private func attach(_ transfer: CurlTransfer, to handle: CurlLibrary.Pointer, hasBody: Bool, _ byteCount: Int) {
        let library = self.library
        let address = Unmanaged.passUnretained(transfer).toOpaque()
        library.set(.writeFunction, unsafeBitCast(CurlCallbacks.write, to: UnsafeRawPointer.self), on: handle)
        library.set(.writeData, address, on: handle)
        library.set(.headerFunction, unsafeBitCast(CurlCallbacks.header, to: UnsafeRawPointer.self), on: handle)
        library.set(.headerData, address, on: handle)
        if transfer.isCancelled != nil {
            library.set(.noProgress, 0, on: handle)
            library.set(
                .progressFunction, unsafeBitCast(CurlCallbacks.progress, to: UnsafeRawPointer.self), on: handle)
            library.set(.progressData, address, on: handle)
        }
        guard hasBody else { return }
        library.set(.readFunction, unsafeBitCast(CurlCallbacks.read, to: UnsafeRawPointer.self), on: handle)
        library.set(.readData, address, on: handle)
        library.set(.seekFunction, unsafeBitCast(CurlCallbacks.seek, to: UnsafeRawPointer.self), on: handle)
        library.set(.seekData, address, on: handle)
        library.set(.inputLength, offset: byteCount, on: handle)
    }

    /// The request's headers in curl's own list, to be freed.
    private func headerList(_ request: HTTPRequest) -> CurlLibrary.Pointer? {
        // Waiting for leave to send costs a round trip, or a second where nobody gives it.
        var list = self.library.append(nil, "Expect:")
        for (name, value) in request.headers { list = self.library.append(list, "\(name): \(value)") ?? list }
        return list
    }
}

extension HTTPRequest.Body {
    /// Calls `body` with the bytes where they are.
    fileprivate func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        switch self {
        case .none: body(UnsafeRawBufferPointer(start: nil, count: 0))
        case .bytes(let bytes): bytes.withUnsafeBytes { body($0) }
        case .buffer(let buffer): body(UnsafeRawBufferPointer(buffer.bytes))
        }
    }
}
