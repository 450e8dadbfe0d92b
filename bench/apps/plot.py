"""The figure of idle.py: requests per second against idle connections, as a small SVG for light and dark pages."""

import math

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 84, 640, 44, 340  # the frame of the axes; the lines' names stand right of it
LINE_HEIGHT = 18

STYLE = '''
  text { font: 14px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .grid { stroke: #8c959f; stroke-opacity: .35 }
  .line { fill: none; stroke-width: 2.5 }
  .native { stroke: #d55e00 } .kev { stroke: #0072b2 } .epoll { stroke: #6e7781 }
  text.native, circle.native { fill: #d55e00 } text.kev, circle.kev { fill: #0072b2 }
  text.epoll, circle.epoll { fill: #6e7781 }
  text.native, text.kev, text.epoll { stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .native { stroke: #ff9248 } .kev { stroke: #58b0ff } .epoll { stroke: #a5afb9 }
    text.native, circle.native { fill: #ff9248 } text.kev, circle.kev { fill: #58b0ff }
    text.epoll, circle.epoll { fill: #a5afb9 }
  }
'''


def _step(top):
    """The distance of the grid's lines: four to eight of them up to `top`."""
    rough = top / 4
    power = 10 ** math.floor(math.log10(rough))
    return max(factor * power for factor in (1, 2, 2.5, 5) if factor * power <= rough)


class Axes:
    """Where a number of idle connections (logarithmic) and a rate (from 0) stand."""

    def __init__(self, idle, rates):
        self.low, self.high = math.floor(math.log10(min(idle))), math.ceil(math.log10(max(idle)))
        self.step = _step(max(rates))
        self.top = math.ceil(max(rates) / self.step) * self.step

    def x(self, idle):
        return LEFT + (RIGHT - LEFT) * (math.log10(idle) - self.low) / (self.high - self.low)

    def y(self, rate):
        return BOTTOM - (BOTTOM - TOP) * rate / self.top

    def draw(self, busy):
        for number in range(round(self.top / self.step) + 1):
            y = self.y(number * self.step)
            yield f'<path class="grid" d="M{LEFT} {y:.1f}H{RIGHT}"/>'
            yield (f'<text x="{LEFT - 8}" y="{y + 5:.1f}" text-anchor="end">'
                   f'{number * self.step:,.0f}</text>')
        for power in range(self.low, self.high + 1):
            x = self.x(10 ** power)
            yield f'<path class="grid" d="M{x:.1f} {TOP}V{BOTTOM}"/>'
            yield f'<text x="{x:.1f}" y="{BOTTOM + 20}" text-anchor="middle">{10 ** power:,}</text>'
        yield (f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 44}" text-anchor="middle">'
               f'idle connections, beside {busy} busy ones</text>')


def _names(axes, ends):
    """The name of each line at its end, moved up or down where two would meet."""
    placed = []
    for side, name, rate in sorted(ends, key=lambda end: -end[2]):
        y = axes.y(rate) + 5
        placed.append([side, name, max(y, placed[-1][2] + LINE_HEIGHT) if placed else y])
    for side, name, y in placed:
        yield f'<text class="{side}" x="{RIGHT + 8}" y="{y:.1f}">{name}</text>'


def write(path, program, kind, rows):
    """`rows` have the idle connections and, in rate[side], the requests per second as median, low and high."""
    idle = [row['idle'] for row in rows]
    axes = Axes(idle, [row['rate'][side]['high'] for row in rows for side in row['rate']])
    names = {'native': f'{kind}, native', 'kev': f'{kind}, libkev', 'epoll': 'epoll, native'}
    body = [f'<text class="title" x="{LEFT}" y="24">{program} on {kind}: requests per second</text>']
    body += axes.draw(rows[0]['busy'])
    for side in names:
        points = [(axes.x(row['idle']), row['rate'][side]) for row in rows]
        body.append(f'<polyline class="line {side}" points="'
                    + ' '.join(f'{x:.1f},{axes.y(rate["median"]):.1f}' for x, rate in points) + '"/>')
        for x, rate in points:
            body.append(f'<path class="{side}" d="M{x:.1f} {axes.y(rate["low"]):.1f}V{axes.y(rate["high"]):.1f}"/>')
            body.append(f'<circle class="{side}" cx="{x:.1f}" cy="{axes.y(rate["median"]):.1f}" r="3.5"/>')
    body += _names(axes, [(side, names[side], rows[-1]['rate'][side]['median']) for side in names])
    with open(path, 'w', encoding='utf-8') as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
                   f'<style>{STYLE}</style>\n' + '\n'.join(body) + '\n</svg>\n')
