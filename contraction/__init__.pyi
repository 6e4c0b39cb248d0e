"""What `contraction` exports and where it is defined; `contraction.lazy` reads this file."""

from contraction import (
    expansions as expansions,
    families as families,
    laws as laws,
    plots as plots,
    statements as statements,
    strategies as strategies,
)
from contraction.certificates import bounds as bounds
from contraction.certificates.average import (
    AverageContraction as AverageContraction,
    average_contraction as average_contraction,
)
from contraction.certificates.certify import certify as certify, estimate as estimate
from contraction.certificates.error_bound import (
    Certificate as Certificate,
    ErrorBound as ErrorBound,
    Estimate as Estimate,
)
from contraction.certificates.falsify import search_violation as search_violation
from contraction.certificates.find_region import find_region as find_region
from contraction.certificates.leaves import leaf_basis as leaf_basis
from contraction.certificates.mean_square import mean_square_norm as mean_square_norm
from contraction.certificates.norms import common_norm as common_norm, lyapunov_norm as lyapunov_norm
from contraction.exponents.lyapunov import (
    LyapunovExponents as LyapunovExponents,
    lyapunov_exponents as lyapunov_exponents,
)
from contraction.exponents.synchronisation import Synchronisation as Synchronisation, synchronisation as synchronisation
from contraction.limits.backward import (
    apply_backward as apply_backward,
    backward_limit as backward_limit,
    coupling_distance as coupling_distance,
)
from contraction.limits.coupling_from_the_past import (
    ExactSample as ExactSample,
    coupling_from_the_past as coupling_from_the_past,
)
from contraction.limits.nested_boxes import NestedBoxes as NestedBoxes, nested_boxes as nested_boxes
from contraction.limits.result import BackwardLimit as BackwardLimit, NotSettled as NotSettled
from contraction.limits.stationary import (
    StationarySample as StationarySample,
    UnbiasedExpectation as UnbiasedExpectation,
    sample_stationary as sample_stationary,
    unbiased_expectation as unbiased_expectation,
)
from contraction.maps import orders as orders, spaces as spaces
from contraction.maps.constants import Constant as Constant
from contraction.maps.domains import (
    Ball as Ball,
    Box as Box,
    HalfSpace as HalfSpace,
    RotatedBox as RotatedBox,
    Simplex as Simplex,
)
from contraction.maps.errors import (
    DeclarationRefuted as DeclarationRefuted,
    MapRefused as MapRefused,
    NotCertified as NotCertified,
    NotDeterministic as NotDeterministic,
    TrainingInReverseError as TrainingInReverseError,
)
from contraction.maps.iterates import (
    backward_iterates as backward_iterates,
    forward_iterates as forward_iterates,
    iterates as iterates,
    paired_iterates as paired_iterates,
    plain_iterates as plain_iterates,
)
from contraction.maps.known import Known as Known
from contraction.maps.operators import (
    AffineMaps as AffineMaps,
    Operators as Operators,
    RandomOperator as RandomOperator,
)
from contraction.maps.order_convergence import (
    OrderConvergence as OrderConvergence,
    order_convergence as order_convergence,
)
from contraction.maps.orders import (
    Backward as Backward,
    CustomOrder as CustomOrder,
    Epochs as Epochs,
    Forward as Forward,
    Late as Late,
    PairedReversal as PairedReversal,
    Repeated as Repeated,
    Reset as Reset,
    Windowed as Windowed,
)
from contraction.maps.spaces import (
    Euclidean as Euclidean,
    GridFunctions as GridFunctions,
    L1Simplex as L1Simplex,
    Metric as Metric,
    SupNorm as SupNorm,
    WeightedEuclidean as WeightedEuclidean,
    Words as Words,
)

__version__: str
