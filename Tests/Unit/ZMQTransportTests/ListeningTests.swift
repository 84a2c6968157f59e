// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import KVModel
import Testing

@testable import ZMQTransport

@Suite(.serialized) struct ListeningTests {
    private func listen(_ endpoints: [String]) throws -> RouterServer {
        try RouterServer(configuration: .init(endpoints: endpoints), receiver: TestReceiver())
    }

    private func mode(_ path: String) -> mode_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode : nil
    }

    /// Leaves a socket file behind, as a killed server does.
    private func leaveStaleFile(at path: String) throws {
        let file = try SocketFile(listeningAt: path, endpoint: path)
        close(file.descriptor)
    }

    @Test func aTakenPortIsToldApartAndNamed() throws {
        let first = try self.listen(["tcp://127.0.0.1:*"])
        defer { first.stop() }
        let endpoint = first.boundEndpoints[0]
        #expect(throws: TransportError.addressInUse(endpoint: endpoint)) { try self.listen([endpoint]) }
        #expect(TransportError.addressInUse(endpoint: endpoint).description.contains(endpoint))
    }

    @Test func nothingStaysBoundWhenOneEndpointFails() throws {
        let directory = TemporaryDirectory()
        let first = try self.listen(["tcp://127.0.0.1:*"])
        defer { first.stop() }
        #expect(throws: TransportError.addressInUse(endpoint: first.boundEndpoints[0])) {
            try self.listen(["ipc://\(directory.path)/s", first.boundEndpoints[0]])
        }
        #expect(directory.names.isEmpty)
        try self.listen(["ipc://\(directory.path)/s"]).stop()
    }

    @Test func anAddressOfAnotherMachineIsNotInUseButRefused() throws {
        do {
            _ = try self.listen(["tcp://192.0.2.1:0"])
            Issue.record("192.0.2.1 is for documentation only")
        } catch TransportError.cannotBind(let endpoint, let reason) {
            #expect(endpoint == "tcp://192.0.2.1:0")
            #expect(!reason.isEmpty)
        }
    }

    @Test func socketFilesAreForTheirOwnerOnlyAndRemovedAtStop() throws {
        let directory = TemporaryDirectory()
        let before = umask(0)
        let server = try self.listen(["ipc://\(directory.path)/s"])
        umask(before)
        #expect(self.mode("\(directory.path)/s") == S_IFSOCK | 0o600)
        server.stop()
        #expect(directory.names.isEmpty)
    }

    @Test func aStaleSocketFileIsReplaced() throws {
        let directory = TemporaryDirectory()
        try self.leaveStaleFile(at: "\(directory.path)/s")
        #expect(directory.names == ["s"])
        let running = try RunningServer(endpoints: ["ipc://\(directory.path)/s"])
        let client = try DealerClient(endpoint: running.endpoint)
        #expect(try client.request([[1]], timeoutMilliseconds: 20_000) == [[1]])
    }

    @Test func aLiveServersSocketFileIsLeftAlone() throws {
        let directory = TemporaryDirectory()
        let endpoint = "ipc://\(directory.path)/s"
        let running = try RunningServer(endpoints: [endpoint])
        defer { running.stop() }
        #expect(throws: TransportError.addressInUse(endpoint: endpoint)) { try self.listen([endpoint]) }
        let client = try DealerClient(endpoint: endpoint)
        #expect(try client.request([[1]], timeoutMilliseconds: 20_000) == [[1]])
    }

    @Test func stopLeavesTheFileOfALaterServer() throws {
        let directory = TemporaryDirectory()
        let path = "\(directory.path)/s"
        let first = try self.listen(["ipc://\(path)"])
        // Someone removed the file by hand and started anew.
        unlink(path)
        let second = try RunningServer(endpoints: ["ipc://\(path)"])
        first.stop()
        #expect(directory.names == ["s"])
        let client = try DealerClient(endpoint: second.endpoint)
        #expect(try client.request([[1]], timeoutMilliseconds: 20_000) == [[1]])
    }

    @Test func aFileThatIsNoSocketIsKept() throws {
        let directory = TemporaryDirectory()
        let path = "\(directory.path)/s"
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        #expect(throws: TransportError.self) { try self.listen(["ipc://\(path)"]) }
        #expect(directory.names == ["s"])
        unlink(path)
        symlink("/etc/hostname", path)
        #expect(throws: TransportError.self) { try self.listen(["ipc://\(path)"]) }
        #expect(directory.names == ["s"])
    }

    @Test func aMissingDirectoryIsAnErrorThatNamesTheEndpoint() throws {
        let directory = TemporaryDirectory()
        let endpoint = "ipc://\(directory.path)/none/s"
        do {
            _ = try self.listen([endpoint])
            Issue.record("the directory does not exist")
        } catch TransportError.cannotBind(let named, _) {
            #expect(named == endpoint)
        }
    }

    @Test func noEndpointIsAnError() {
        #expect(throws: TransportError.self) { try self.listen([]) }
    }
}
