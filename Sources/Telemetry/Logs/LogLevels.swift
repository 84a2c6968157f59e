// lmcache · SPDX-License-Identifier: Apache-2.0

package import Logging
import Synchronization

/// Levels of all loggers of the process by name, changeable while they log.
///
/// Any thread.
package final class LogLevels: Sendable {
    /// The level of one name, shared by every logger with that name.
    package final class Cell: Sendable {
        private let code: Atomic<UInt8>

        init(_ level: Logger.Level) { self.code = Atomic(Self.code(of: level)) }

        package var level: Logger.Level {
            get {
                let code = Int(self.code.load(ordering: .relaxed))
                return Logger.Level.allCases.indices.contains(code) ? Logger.Level.allCases[code] : .info
            }
            set { self.code.store(Self.code(of: newValue), ordering: .relaxed) }
        }

        private static func code(of level: Logger.Level) -> UInt8 {
            UInt8(truncatingIfNeeded: Logger.Level.allCases.firstIndex(of: level) ?? 0)
        }
    }

    private struct State {
        var cells: [String: Cell] = [:]
        /// Levels that were set by name, for loggers that come later.
        var chosen: [String: Logger.Level] = [:]
    }

    /// Levels set for this many names are kept; names come from requests.
    package static let maximumChosenNames = 256

    private let state = Mutex(State())
    /// The level of names that were never set.
    package let initial: Logger.Level

    package init(initial: Logger.Level) { self.initial = initial }

    /// The shared level of `name`, made when new at the level of its nearest set ancestor (`a` is that of `a.b`).
    package func cell(_ name: String) -> Cell {
        self.state.withLock { state in
            if let cell = state.cells[name] { return cell }
            let cell = Cell(Self.inherited(name, state) ?? self.initial)
            state.cells[name] = cell
            return cell
        }
    }

    /// The level that a logger with this name has, or would have.
    package func level(of name: String) -> Logger.Level {
        self.state.withLock { $0.cells[name]?.level ?? Self.inherited(name, $0) ?? self.initial }
    }

    /// Sets the level of a name and of the names below it.
    ///
    /// Returns false when too many names were set already.
    package func set(_ level: Logger.Level, for name: String) -> Bool {
        self.state.withLock { state in
            guard state.chosen[name] != nil || state.chosen.count < Self.maximumChosenNames else { return false }
            let prefix = name + "."
            state.chosen = state.chosen.filter { !$0.key.hasPrefix(prefix) }
            state.chosen[name] = level
            for (other, cell) in state.cells where other == name || other.hasPrefix(prefix) { cell.level = level }
            return true
        }
    }

    /// Every name that has a logger or was set, with its level, ordered by name.
    package func all() -> [(name: String, level: Logger.Level)] {
        self.state.withLock { state in
            state.chosen.merging(state.cells.mapValues(\.level)) { $1 }.map { (name: $0.key, level: $0.value) }
        }.sorted { $0.name < $1.name }
    }

    private static func inherited(_ name: String, _ state: State) -> Logger.Level? {
        var name = name[...]
        while true {
            if let level = state.chosen[String(name)] { return level }
            guard let dot = name.lastIndex(of: ".") else { return nil }
            name = name[..<dot]
        }
    }
}
