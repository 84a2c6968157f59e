// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// OpenSSL 1.1 or 3, found when the first secure connection is made: a machine without it runs everything else.
struct TLSLibrary: Sendable {
    typealias Pointer = UnsafeMutableRawPointer

    let clientMethod: @convention(c) () -> Pointer?
    let newContext: @convention(c) (Pointer?) -> Pointer?
    let freeContext: @convention(c) (Pointer?) -> Void
    let setVerification: @convention(c) (Pointer?, Int32, Pointer?) -> Void
    let trustSystem: @convention(c) (Pointer?) -> Int32
    let trustFile: @convention(c) (Pointer?, UnsafePointer<CChar>?, UnsafePointer<CChar>?) -> Int32
    let useCertificateFile: @convention(c) (Pointer?, UnsafePointer<CChar>?) -> Int32
    let useKeyFile: @convention(c) (Pointer?, UnsafePointer<CChar>?, Int32) -> Int32
    let controlContext: @convention(c) (Pointer?, Int32, Int, Pointer?) -> Int
    let newSession: @convention(c) (Pointer?) -> Pointer?
    let freeSession: @convention(c) (Pointer?) -> Void
    let control: @convention(c) (Pointer?, Int32, Int, Pointer?) -> Int
    let setDescriptor: @convention(c) (Pointer?, Int32) -> Int32
    let setHost: @convention(c) (Pointer?, UnsafePointer<CChar>?) -> Int32
    let parameters: @convention(c) (Pointer?) -> Pointer?
    let setAddress: @convention(c) (Pointer?, UnsafePointer<CChar>?) -> Int32
    let connect: @convention(c) (Pointer?) -> Int32
    let read: @convention(c) (Pointer?, Pointer?, Int32) -> Int32
    let write: @convention(c) (Pointer?, UnsafeRawPointer?, Int32) -> Int32
    let errorOf: @convention(c) (Pointer?, Int32) -> Int32
    let clearErrors: @convention(c) () -> Void
    let lastError: @convention(c) () -> UInt
    let describe: @convention(c) (UInt, UnsafeMutablePointer<CChar>?, Int) -> Void

    private static let names = ["libssl.so.3", "libssl.so.1.1", "libssl.so"]

    /// The library, or why there is none.
    static let shared: Result<TLSLibrary, RESPConnectionError> = {
        for name in Self.names {
            guard let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) else { continue }
            do throws(RESPConnectionError) {
                return .success(try TLSLibrary(handle))
            } catch {
                return .failure(error)
            }
        }
        return .failure(.insecure("no \(Self.names.joined(separator: ", ")) on this machine (OpenSSL)"))
    }()

    private init(_ handle: Pointer) throws(RESPConnectionError) {
        self.clientMethod = try Self.find("TLS_client_method", handle)
        self.newContext = try Self.find("SSL_CTX_new", handle)
        self.freeContext = try Self.find("SSL_CTX_free", handle)
        self.setVerification = try Self.find("SSL_CTX_set_verify", handle)
        self.trustSystem = try Self.find("SSL_CTX_set_default_verify_paths", handle)
        self.trustFile = try Self.find("SSL_CTX_load_verify_locations", handle)
        self.useCertificateFile = try Self.find("SSL_CTX_use_certificate_chain_file", handle)
        self.useKeyFile = try Self.find("SSL_CTX_use_PrivateKey_file", handle)
        self.controlContext = try Self.find("SSL_CTX_ctrl", handle)
        self.newSession = try Self.find("SSL_new", handle)
        self.freeSession = try Self.find("SSL_free", handle)
        self.control = try Self.find("SSL_ctrl", handle)
        self.setDescriptor = try Self.find("SSL_set_fd", handle)
        self.setHost = try Self.find("SSL_set1_host", handle)
        self.parameters = try Self.find("SSL_get0_param", handle)
        self.setAddress = try Self.find("X509_VERIFY_PARAM_set1_ip_asc", handle)
        self.connect = try Self.find("SSL_connect", handle)
        self.read = try Self.find("SSL_read", handle)
        self.write = try Self.find("SSL_write", handle)
        self.errorOf = try Self.find("SSL_get_error", handle)
        self.clearErrors = try Self.find("ERR_clear_error", handle)
        self.lastError = try Self.find("ERR_get_error", handle)
        self.describe = try Self.find("ERR_error_string_n", handle)
    }

    /// - Parameter Function: A C function's type: a pointer, as the symbol is.
    private static func find<Function>(_ name: String, _ handle: Pointer) throws(RESPConnectionError) -> Function {
        guard let symbol = dlsym(handle, name) else { throw .insecure("OpenSSL lacks \(name)") }
        return unsafeBitCast(symbol, to: Function.self)
    }

    /// The calling thread's oldest error in words.
    func words() -> String {
        let code = self.lastError()
        guard code != 0 else { return "the connection ended" }
        return String(unsafeUninitializedCapacity: 256) { area in
            area.withMemoryRebound(to: CChar.self) { self.describe(code, $0.baseAddress, $0.count) }
            return area.firstIndex(of: 0) ?? area.count
        }
    }
}
