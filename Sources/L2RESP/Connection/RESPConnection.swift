// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage

/// One connection with its half-read input. One thread at a time; after an error it is of no use.
final class RESPConnection {
    private let transport: any RESPTransport
    private var reader = RESPReader()

    init(_ transport: any RESPTransport) {
        self.transport = transport
    }

    /// Sends commands one behind another and takes as many answers, reading while it writes.
    ///
    /// - Parameter answered: Gets each command's index and answer, in order; those that it has not got when an error
    ///   is thrown have none.
    func exchange(
        _ commands: [RESPCommand], wait: SocketWait, answered: (Int, RESPAnswer) -> Void
    ) throws(RESPConnectionError) {
        var outgoing = RESPOutgoing(commands)
        var received = 0
        for (index, command) in commands.enumerated() {
            // The command keeps the buffer alive while its address is in use.
            var assembler = RESPAssembler(destination: command.destination?.bytes)
            while true {
                let input = try self.input(&assembler)
                if case .answer(let answer) = input {
                    received += command.destination?.byteCount ?? 0
                    answered(index, answer)
                    break
                }
                let output = try self.output(&outgoing, received: received + assembler.filledBytes)
                if output?.byteCount ?? 0 > 0 || input == .more { continue }
                try wait.until(
                    self.transport.descriptor, isReadable: input != .needsWritable || output == .needsReadable,
                    isWritable: output == .needsWritable || input == .needsWritable)
            }
        }
        guard outgoing.isEmpty, self.reader.count == 0 else { throw .nonsense("more answers than commands") }
    }

    private enum Input: Equatable {
        case answer(RESPAnswer)
        case more
        case needsReadable
        case needsWritable
    }

    /// Takes an answer that is there, or reads once.
    private func input(_ assembler: inout RESPAssembler) throws(RESPConnectionError) -> Input {
        if let answer = try assembler.advance(&self.reader) { return .answer(answer) }
        let move: RESPMove
        if let area = assembler.directArea {
            move = try self.transport.read(into: area)
            assembler.noteDirect(move.byteCount)
        } else {
            let transport = self.transport
            move = try self.reader.fill { (room) throws(RESPConnectionError) in
                let move = try transport.read(into: room)
                return (move, move.byteCount)
            }
        }
        switch move {
        case .moved: return .more
        case .needsReadable: return .needsReadable
        case .needsWritable: return .needsWritable
        }
    }

    /// Writes once if something is left that may go.
    private func output(
        _ outgoing: inout RESPOutgoing, received: Int
    ) throws(RESPConnectionError) -> RESPMove? {
        guard outgoing.isReady(received: received) else { return nil }
        let transport = self.transport
        return try outgoing.send(received: received) { (area, isLast) throws(RESPConnectionError) in
            let move = try transport.write(area, isMoreComing: !isLast)
            return (move, move.byteCount)
        }
    }
}
