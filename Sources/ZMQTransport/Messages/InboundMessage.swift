// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// One message of one client, as it came off the socket.
///
/// Nothing in it was checked.
package struct InboundMessage: Sendable {
    /// Who sent it.
    package let connection: ConnectionID
    /// The client's frames in order, without the identity frame.
    ///
    /// May be empty; a frame may be empty.
    package let frames: [[UInt8]]

    /// Wraps a connection and its frames.
    package init(connection: ConnectionID, frames: [[UInt8]]) {
        self.connection = connection
        self.frames = frames
    }
}
