// lmcache · SPDX-License-Identifier: Apache-2.0

extension Int {
    /// Division that rounds up. Both are not negative and the divisor is not 0.
    package func dividedRoundingUp(by divisor: Int) -> Int {
        self / divisor + (self % divisor == 0 ? 0 : 1)
    }
}

extension Duration {
    /// Seconds as a number.
    package var seconds: Double {
        Double(self.components.seconds) + Double(self.components.attoseconds) * 1e-18
    }

    /// Seconds with three decimals, as the field's log lines have them.
    package var fixedSeconds: String { Self.fixed(self.seconds, decimals: 3) }

    /// Milliseconds with one decimal.
    package var fixedMilliseconds: String { Self.fixed(self.seconds * 1000, decimals: 1) }

    private static func fixed(_ value: Double, decimals: Int) -> String {
        let scale = decimals == 3 ? 1000 : 10
        let scaled = Int((max(0, min(value, 1e12)) * Double(scale)).rounded())
        let fraction = String(scaled % scale)
        return "\(scaled / scale)." + String(repeating: "0", count: decimals - fraction.count) + fraction
    }
}
