// lmcache · SPDX-License-Identifier: Apache-2.0

public import CLMCache

/// Sends a request and waits for its reply. The contract: lmcache.h.
@c @implementation
public func lmcache_call(
    _ instance: OpaquePointer?, _ request: UnsafeRawPointer?, _ request_length: Int, _ timeout_ms: Int64,
    _ reply: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ reply_length: UnsafeMutablePointer<Int>?
) -> Int32 {
    LibraryError.result { () throws(LibraryError) in
        let out = try Argument.reply(reply, reply_length)
        let milliseconds = try Argument.milliseconds(timeout_ms)
        let frames = try Argument.frames(request, request_length)
        let door = try InstanceRegistry.ofThisProcess.find(instance).door
        let ticket = try door.submit(frames)
        do throws(LibraryError) {
            try out.set(try door.take(ticket, milliseconds: milliseconds))
        } catch {
            _ = door.forget(ticket)
            throw error.result == .timedOut
                ? LibraryError(.timedOut, "no reply within \(milliseconds) ms") : error
        }
    }
}

/// Sends a request and gives a ticket for its reply. The contract: lmcache.h.
@c @implementation
public func lmcache_submit(_ instance: OpaquePointer?, _ request: UnsafeRawPointer?, _ request_length: Int) -> UInt64 {
    LibraryError.reported(otherwise: { _ in 0 }) { () throws(LibraryError) -> UInt64 in
        let frames = try Argument.frames(request, request_length)
        return try InstanceRegistry.ofThisProcess.find(instance).door.submit(frames)
    }
}

/// Takes the reply of a ticket. The contract: lmcache.h.
@c @implementation
public func lmcache_take(
    _ instance: OpaquePointer?, _ ticket: UInt64, _ timeout_ms: Int64,
    _ reply: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ reply_length: UnsafeMutablePointer<Int>?
) -> Int32 {
    LibraryError.result { () throws(LibraryError) in
        let out = try Argument.reply(reply, reply_length)
        let milliseconds = try Argument.milliseconds(timeout_ms)
        let door = try InstanceRegistry.ofThisProcess.find(instance).door
        try out.set(try door.take(ticket, milliseconds: milliseconds))
    }
}

/// Takes the oldest reply. The contract: lmcache.h.
@c @implementation
public func lmcache_take_any(
    _ instance: OpaquePointer?, _ timeout_ms: Int64, _ ticket: UnsafeMutablePointer<UInt64>?,
    _ reply: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ reply_length: UnsafeMutablePointer<Int>?
) -> Int32 {
    LibraryError.result { () throws(LibraryError) in
        guard let ticket else { throw LibraryError(.invalidArgument, "ticket must be set") }
        let out = try Argument.reply(reply, reply_length)
        let milliseconds = try Argument.milliseconds(timeout_ms)
        let door = try InstanceRegistry.ofThisProcess.find(instance).door
        let found = try door.takeAny(milliseconds: milliseconds)
        try out.set(found.frames)
        ticket.pointee = found.ticket
    }
}

/// Gives a ticket up. The contract: lmcache.h.
@c @implementation
public func lmcache_forget(_ instance: OpaquePointer?, _ ticket: UInt64) -> Int32 {
    LibraryError.result { () throws(LibraryError) in
        guard try InstanceRegistry.ofThisProcess.find(instance).door.forget(ticket) else {
            throw LibraryError(.unknownTicket, "there is no ticket \(ticket)")
        }
    }
}

/// How full an instance is. The contract: lmcache.h.
@c @implementation
public func lmcache_read_usage(_ instance: OpaquePointer?, _ usage: UnsafeMutablePointer<lmcache_usage>?) -> Int32 {
    LibraryError.result { () throws(LibraryError) in
        let expected = UInt64(MemoryLayout<lmcache_usage>.size)
        guard let usage else { throw LibraryError(.invalidArgument, "usage is null") }
        guard usage.pointee.size >= expected else {
            throw LibraryError(
                .invalidArgument, "usage->size is \(usage.pointee.size), accepted is at least \(expected)")
        }
        let cache = try InstanceRegistry.ofThisProcess.find(instance)
        cache.fill(&usage.pointee)
    }
}
