// lmcache · SPDX-License-Identifier: Apache-2.0

import EngineKit
import Glibc
import Testing

@testable import ServerKit

struct AddressTests {
    @Test func resolvesIPv4First() throws {
        #expect(try SocketAddress(host: "localhost", port: 1, setting: "--host").description == "127.0.0.1:1")
        #expect(try SocketAddress(host: "*", port: 2, setting: "--host").description == "0.0.0.0:2")
        #expect(try SocketAddress(host: "::1", port: 3, setting: "--host").description == "[::1]:3")
        #expect(try ServerEndpoint(.tcp(host: "localhost", port: 0), setting: "--host").text == "tcp://127.0.0.1:*")
        #expect(try ServerEndpoint(.tcp(host: "::1", port: 9), setting: "--host").text == "tcp://[::1]:9")
        #expect(try ServerEndpoint(.ipc(path: "/tmp/x"), setting: "--bind").text == "ipc:///tmp/x")
    }

    @Test func aNameThatResolvesToNothingIsABadValue() {
        for host in ["no.such.host.invalid", "a\0b", "300.1.1.1"] {
            let error = #expect(throws: StartError.self) {
                try SocketAddress(host: host, port: 1, setting: "--host")
            }
            #expect(error?.exitCode == 2)
        }
    }

    @Test func aBusyPortIsToldApart() throws {
        let listener = try Listener()
        defer { listener.close() }
        let address = try SocketAddress(host: "127.0.0.1", port: listener.port, setting: "--port")
        let error = #expect(throws: StartError.self) { try address.checkFree(setting: "--port") }
        #expect(error == .addressInUse(setting: "--port", address: "127.0.0.1:\(listener.port)"))
        #expect(error?.exitCode == 3)
        try address.withPort(0).checkFree(setting: "--port")
    }

    @Test func anAddressOfAnotherMachineIsABadValue() throws {
        let address = try SocketAddress(host: "192.0.2.1", port: 5555, setting: "--host")
        let error = #expect(throws: StartError.self) { try address.checkFree(setting: "--host") }
        #expect(error?.exitCode == 2)
    }

    @Test func unixSocketsAreTakenOnlyWhenNobodyListens() throws {
        let folder = "/tmp/lmcache-address-\(getpid())"
        mkdir(folder, 0o700)
        let path = folder + "/s"
        defer {
            unlink(path)
            rmdir(folder)
        }
        let endpoint = ServerEndpoint.ipc(path: path)
        try endpoint.checkFree(setting: "--bind")

        let listener = try Listener(path: path)
        let busy = #expect(throws: StartError.self) { try endpoint.checkFree(setting: "--bind") }
        #expect(busy == .addressInUse(setting: "--bind", address: "ipc://\(path)"))
        listener.close()
        try endpoint.checkFree(setting: "--bind")

        unlink(path)
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        let file = #expect(throws: StartError.self) { try endpoint.checkFree(setting: "--bind") }
        #expect(file?.exitCode == 2)
        let nowhere = #expect(throws: StartError.self) {
            try ServerEndpoint.ipc(path: "/nowhere/s").checkFree(setting: "--bind")
        }
        #expect(nowhere?.exitCode == 2)
    }
}

/// A listening socket.
struct Listener {
    struct Unavailable: Error {}

    let descriptor: Int32
    let port: Int

    /// TCP on a free port of 127.0.0.1.
    init() throws {
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = self.descriptor
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 1) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw Unavailable() }
        self.port = Int(UInt16(bigEndian: address.sin_port))
    }

    /// A Unix socket.
    init(path: String) throws {
        self.descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        self.port = 0
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let descriptor = self.descriptor
        let isBound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 && listen(descriptor, 1) == 0
            }
        }
        guard isBound else { throw Unavailable() }
    }

    func close() { Glibc.close(self.descriptor) }
}
