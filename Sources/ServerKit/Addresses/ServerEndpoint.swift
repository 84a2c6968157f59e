// lmcache · SPDX-License-Identifier: Apache-2.0

package import EngineKit
import Glibc

/// An endpoint of the request server, resolved so that libzmq, which resolves no names when it binds, can bind it.
package enum ServerEndpoint: Hashable, Sendable {
    case tcp(SocketAddress)
    case ipc(path: String)

    /// Resolves the host of a TCP endpoint.
    package init(_ endpoint: BindEndpoint, setting: String) throws(StartError) {
        switch endpoint {
        case .tcp(let host, let port):
            self = .tcp(try SocketAddress(host: host, port: port, setting: setting))
        case .ipc(let path):
            self = .ipc(path: path)
        }
    }

    /// The endpoint as libzmq takes it; port 0 is written `*`.
    package var text: String {
        switch self {
        case .tcp(let address) where address.port == 0: "tcp://\(address.isIPv6 ? "[\(address.host)]" : address.host):*"
        case .tcp(let address): "tcp://\(address)"
        case .ipc(let path): "ipc://\(path)"
        }
    }

    /// Throws when somebody listens there.
    ///
    /// For a Unix socket a file that nobody listens on is fine; one that is no socket is refused, because binding
    /// would remove it.
    package func checkFree(setting: String) throws(StartError) {
        switch self {
        case .tcp(let address): try address.checkFree(setting: setting)
        case .ipc(let path): try Self.checkFree(path: path, setting: setting)
        }
    }

    private static func checkFree(path: String, setting: String) throws(StartError) {
        if path.hasPrefix("@") { return }
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT, access(Self.directory(of: path), W_OK) == 0 { return }
            throw .unusableAddress(
                setting: setting,
                given: "ipc://\(path)",
                accepted: "a path in a writable directory",
                reason: String(cString: strerror(errno))
            )
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw .unusableAddress(
                setting: setting,
                given: "ipc://\(path)",
                accepted: "a path that is free or a socket",
                reason: "a file that is no socket is there"
            )
        }
        if Self.accepts(path) { throw .addressInUse(setting: setting, address: "ipc://\(path)") }
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// True when somebody listens on the Unix socket.
    private static func accepts(_ path: String) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count < capacity else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
        }
        return result == 0
    }
}
