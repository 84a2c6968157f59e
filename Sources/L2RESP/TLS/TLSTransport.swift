// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A TLS session over a TCP socket.
final class TLSTransport: RESPTransport {
    private let socket: TCPSocket
    private let library: TLSLibrary
    private let session: TLSLibrary.Pointer

    var descriptor: Int32 { self.socket.descriptor }

    // Numbers of OpenSSL's headers, part of its ABI.
    private static let verifyPeer: Int32 = 1
    private static let keyIsPEM: Int32 = 1
    private static let setMode: Int32 = 33
    private static let setServerName: Int32 = 55
    /// Partial writes, which may go on from another address.
    private static let modes = 1 | 2
    private enum Code {
        static let wantRead: Int32 = 2
        static let wantWrite: Int32 = 3
        static let systemCall: Int32 = 5
        static let closed: Int32 = 6
    }

    /// Makes a session and waits for the handshake.
    init(
        over socket: TCPSocket, host: String, security: RESPConfiguration.Security, wait: SocketWait
    ) throws(RESPConnectionError) {
        let library = try TLSLibrary.shared.get()
        library.clearErrors()
        guard let context = library.newContext(library.clientMethod()) else { throw .insecure(library.words()) }
        // The session keeps what it needs of the context.
        defer { library.freeContext(context) }
        try Self.prepare(context, security, library)
        guard let session = library.newSession(context) else { throw .insecure(library.words()) }
        self.socket = socket
        self.library = library
        self.session = session
        try Self.name(host, session, security, library)
        guard library.setDescriptor(session, socket.descriptor) == 1 else { throw .insecure(library.words()) }
        try self.shakeHands(wait)
    }

    deinit { self.library.freeSession(self.session) }

    func read(into area: UnsafeMutableRawBufferPointer) throws(RESPConnectionError) -> RESPMove {
        self.library.clearErrors()
        return try self.move(self.library.read(self.session, area.baseAddress, Int32(clamping: area.count)))
    }

    func write(_ area: UnsafeRawBufferPointer, isMoreComing: Bool) throws(RESPConnectionError) -> RESPMove {
        self.library.clearErrors()
        return try self.move(self.library.write(self.session, area.baseAddress, Int32(clamping: area.count)))
    }

    private func move(_ result: Int32) throws(RESPConnectionError) -> RESPMove {
        if result > 0 { return .moved(Int(result)) }
        let code = errno
        switch self.library.errorOf(self.session, result) {
        case Code.wantRead: return .needsReadable
        case Code.wantWrite: return .needsWritable
        case Code.closed: throw .ended("closed by the server")
        case Code.systemCall where code != 0: throw .ended(TCPSocket.words(code))
        default: throw .ended(self.library.words())
        }
    }

    private func shakeHands(_ wait: SocketWait) throws(RESPConnectionError) {
        while true {
            self.library.clearErrors()
            let result = self.library.connect(self.session)
            if result == 1 { return }
            let move: RESPMove
            do {
                move = try self.move(result)
            } catch {
                throw .insecure("\(error)")
            }
            try wait.until(
                self.descriptor, isReadable: move == .needsReadable, isWritable: move == .needsWritable)
        }
    }

    private static func prepare(
        _ context: TLSLibrary.Pointer, _ security: RESPConfiguration.Security, _ library: TLSLibrary
    ) throws(RESPConnectionError) {
        _ = library.controlContext(context, Self.setMode, Self.modes, nil)
        library.setVerification(context, security.verifiesServer ? Self.verifyPeer : 0, nil)
        if security.verifiesServer {
            let trusted =
                security.authorityFile.map { library.trustFile(context, $0, nil) } ?? library.trustSystem(context)
            guard trusted == 1 else { throw .insecure("tls_ca_file: \(library.words())") }
        }
        if let certificate = security.certificateFile, let key = security.keyFile {
            guard library.useCertificateFile(context, certificate) == 1 else {
                throw .insecure("tls_cert_file: \(library.words())")
            }
            guard library.useKeyFile(context, key, Self.keyIsPEM) == 1 else {
                throw .insecure("tls_key_file: \(library.words())")
            }
        }
    }

    /// Says which server is meant, and demands its name, or its address, in the certificate.
    private static func name(
        _ host: String, _ session: TLSLibrary.Pointer, _ security: RESPConfiguration.Security, _ library: TLSLibrary
    ) throws(RESPConnectionError) {
        let isAddress = Self.isAddress(host)
        if !isAddress {
            let copy = Array(host.utf8CString)
            copy.withUnsafeBytes { bytes in
                _ = library.control(
                    session, Self.setServerName, 0, UnsafeMutableRawPointer(mutating: bytes.baseAddress))
            }
        }
        guard security.verifiesServer else { return }
        let isSet =
            isAddress ? library.setAddress(library.parameters(session), host) : library.setHost(session, host)
        guard isSet == 1 else { throw .insecure("the name \(host) cannot be checked") }
    }

    private static func isAddress(_ host: String) -> Bool {
        var area = in6_addr()
        return inet_pton(AF_INET, host, &area) == 1 || inet_pton(AF_INET6, host, &area) == 1
    }
}
