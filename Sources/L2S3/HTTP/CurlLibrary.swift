// lmcache · SPDX-License-Identifier: Apache-2.0

internal import CSystemShims
internal import Glibc

/// libcurl, found when the first S3 adapter is made: a machine without it runs everything else.
///
/// Source of every number: curl's headers, part of its ABI, which has not changed since version 7.16.
struct CurlLibrary: Sendable {
    typealias Pointer = UnsafeMutableRawPointer

    /// Options that are used, by their numbers.
    enum Option: Int32, CaseIterable {
        case writeData = 10001
        case url = 10002
        case proxy = 10004
        case readData = 10009
        case errorBuffer = 10010
        case writeFunction = 20011
        case readFunction = 20012
        case userAgent = 10018
        case lowSpeedLimit = 19
        case lowSpeedTime = 20
        case httpHeader = 10023
        case headerData = 10029
        case customRequest = 10036
        case noProgress = 43
        case noBody = 44
        case upload = 46
        case followLocation = 52
        case verifyPeer = 64
        case authorityFile = 10065
        case headerFunction = 20079
        case httpGet = 80
        case verifyHost = 81
        case httpVersion = 84
        case progressFunction = 20219
        case progressData = 10057
        case noSignal = 99
        case inputLength = 30115
        case tcpNoDelay = 121
        case timeoutMilliseconds = 155
        case connectTimeoutMilliseconds = 156
        case seekFunction = 20167
        case seekData = 10168
        case keepAlive = 213
        case pathAsIs = 234
        case uploadBufferSize = 280

        /// Its name in curl's own list, which old versions lack.
        var name: String {
            switch self {
            case .writeData: "WRITEDATA"
            case .url: "URL"
            case .proxy: "PROXY"
            case .readData: "READDATA"
            case .errorBuffer: "ERRORBUFFER"
            case .writeFunction: "WRITEFUNCTION"
            case .readFunction: "READFUNCTION"
            case .userAgent: "USERAGENT"
            case .lowSpeedLimit: "LOW_SPEED_LIMIT"
            case .lowSpeedTime: "LOW_SPEED_TIME"
            case .httpHeader: "HTTPHEADER"
            case .headerData: "HEADERDATA"
            case .customRequest: "CUSTOMREQUEST"
            case .noProgress: "NOPROGRESS"
            case .progressFunction: "XFERINFOFUNCTION"
            case .progressData: "XFERINFODATA"
            case .noBody: "NOBODY"
            case .upload: "UPLOAD"
            case .followLocation: "FOLLOWLOCATION"
            case .verifyPeer: "SSL_VERIFYPEER"
            case .authorityFile: "CAINFO"
            case .headerFunction: "HEADERFUNCTION"
            case .httpGet: "HTTPGET"
            case .verifyHost: "SSL_VERIFYHOST"
            case .httpVersion: "HTTP_VERSION"
            case .noSignal: "NOSIGNAL"
            case .inputLength: "INFILESIZE_LARGE"
            case .tcpNoDelay: "TCP_NODELAY"
            case .timeoutMilliseconds: "TIMEOUT_MS"
            case .connectTimeoutMilliseconds: "CONNECTTIMEOUT_MS"
            case .seekFunction: "SEEKFUNCTION"
            case .seekData: "SEEKDATA"
            case .keepAlive: "TCP_KEEPALIVE"
            case .pathAsIs: "PATH_AS_IS"
            case .uploadBufferSize: "UPLOAD_BUFFERSIZE"
            }
        }
    }

    private static let names = ["libcurl.so.4", "libcurl-gnutls.so.4", "libcurl-nss.so.4"]
    private static let everything = 3

    let makeHandle: @convention(c) () -> Pointer?
    let freeHandle: @convention(c) (Pointer?) -> Void
    let resetHandle: @convention(c) (Pointer?) -> Void
    private let perform: @convention(c) (Pointer?) -> Int32
    private let describe: @convention(c) (Int32) -> UnsafePointer<CChar>?
    let append: @convention(c) (Pointer?, UnsafePointer<CChar>?) -> Pointer?
    let freeList: @convention(c) (Pointer?) -> Void
    /// curl_easy_option_by_name; nil before version 7.73.
    let optionByName: (@convention(c) (UnsafePointer<CChar>?) -> Pointer?)?
    private let setOption: SendablePointer

    private struct SendablePointer: @unchecked Sendable {  // a function's address
        let address: Pointer
    }

    /// The library, or why there is none.
    static let shared: Result<CurlLibrary, CurlMissing> = {
        for name in Self.names {
            guard let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) else { continue }
            do throws(CurlMissing) {
                return .success(try CurlLibrary(handle))
            } catch {
                return .failure(error)
            }
        }
        return .failure(CurlMissing("no \(Self.names.joined(separator: ", ")) on this machine: install libcurl 4"))
    }()

    private init(_ handle: Pointer) throws(CurlMissing) {
        let start: @convention(c) (Int) -> Int32 = try Self.find("curl_global_init", handle)
        self.makeHandle = try Self.find("curl_easy_init", handle)
        self.freeHandle = try Self.find("curl_easy_cleanup", handle)
        self.resetHandle = try Self.find("curl_easy_reset", handle)
        self.perform = try Self.find("curl_easy_perform", handle)
        self.describe = try Self.find("curl_easy_strerror", handle)
        self.append = try Self.find("curl_slist_append", handle)
        self.freeList = try Self.find("curl_slist_free_all", handle)
        self.optionByName = try? Self.find("curl_easy_option_by_name", handle)  // only a test asks for it
        guard let setOption = dlsym(handle, "curl_easy_setopt") else {
            throw CurlMissing("libcurl lacks curl_easy_setopt")
        }
        self.setOption = SendablePointer(address: setOption)
        guard start(Self.everything) == 0 else { throw CurlMissing("libcurl does not start") }
    }

    /// Bytes that curl's words for one failure take at most.
    private static let errorLimit = 256

    /// Performs a handle's exchange; curl's code and, unless it is 0, what went wrong.
    func performed(_ handle: Pointer) -> (code: Int32, words: String) {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Self.errorLimit) { room in
            room.initialize(repeating: 0)
            self.set(.errorBuffer, UnsafeRawPointer(room.baseAddress), on: handle)
            let code = self.perform(handle)
            self.set(.errorBuffer, UnsafeRawPointer?.none, on: handle)
            guard code != 0 else { return (0, "") }
            room[Self.errorLimit - 1] = 0
            let words = room.baseAddress.map { String(cString: $0) } ?? ""
            return (code, words.isEmpty ? self.describe(code).map { String(cString: $0) } ?? "" : words)
        }
    }

    func set(_ option: Option, _ value: Int, on handle: Pointer) {
        _ = lmc_curl_set_long(self.setOption.address, handle, option.rawValue, value)
    }

    func set(_ option: Option, offset value: Int, on handle: Pointer) {
        _ = lmc_curl_set_offset(self.setOption.address, handle, option.rawValue, Int64(value))
    }

    func set(_ option: Option, _ value: UnsafeRawPointer?, on handle: Pointer) {
        _ = lmc_curl_set_pointer(self.setOption.address, handle, option.rawValue, value)
    }

    /// curl copies strings.
    func set(_ option: Option, _ value: String, on handle: Pointer) {
        value.withCString { self.set(option, UnsafeRawPointer($0), on: handle) }
    }

    /// - Parameter Function: A C function's type: a pointer, as the symbol is.
    private static func find<Function>(_ name: String, _ handle: Pointer) throws(CurlMissing) -> Function {
        guard let symbol = dlsym(handle, name) else { throw CurlMissing("libcurl lacks \(name)") }
        return unsafeBitCast(symbol, to: Function.self)
    }
}

/// Why there is no HTTP on this machine.
struct CurlMissing: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
